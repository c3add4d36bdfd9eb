package http1

import (
	"iter"

	"github.com/ebpf-reel/reel/analyze/anomaly"
)

// Anomaly is something in a stream that RFC 9112 does not allow, or that the recording does not show. Each has a registered
// name, a severity and a sentence for the ledger (DESIGN D6).
type Anomaly uint8

// Anomalies is a set of them.
type Anomalies = anomaly.Set[Anomaly]

// The anomalies of messages.
const (
	BareLF Anomaly = iota
	BareCR
	NULByte
	ObsFold
	FoldWithoutField
	StartLineSpace
	TargetInvalid
	MethodCase
	VersionUnsupported
	StatusInvalid
	FieldWithoutColon
	FieldNameInvalid
	FieldNameSpace
	HeadTooLarge
	TooManyFields
	LengthInvalid
	LengthRepeated
	LengthConflict
	LengthWithChunked
	ChunkedInHTTP10
	CodingUnknown
	ChunkedNotLast
	FramingForbidden
	HostMissing
	HostRepeated
	ChunkSizeInvalid
	ChunkLineTooLong
	ChunkEndInvalid
	UpgradeUnnamed
	HeadHole
	HeadTruncated
	BodyHole
	FramingHole
	LastChunkInferred
	TruncatedByClose
	TruncatedByReset
	CloseIgnored
	HeadResponseInferred

	// The anomalies of bytes that belong to no message.
	LeadingCRLF
	MidStream
	HoleBetween
	Unsynchronised
	Garbage
	StartLineTruncated
	StartLineTooLong
)

var registered = anomaly.Table[Anomaly]{
	BareLF:               anomaly.Info("http1_bare_lf", "A line of a head or of chunk framing ends with LF alone (RFC 9112 §2.2); it was taken as a line end."),
	BareCR:               anomaly.Notice("http1_bare_cr", "A head has a CR that no LF follows (RFC 9112 §2.2); peers differ on what it means."),
	NULByte:              anomaly.Notice("http1_nul", "A head has a NUL byte (RFC 9110 §5.5)."),
	ObsFold:              anomaly.Info("http1_obs_fold", "A field value goes on over a line end (RFC 9112 §5.2, obsolete); the lines were joined by spaces."),
	FoldWithoutField:     anomaly.Notice("http1_fold_without_field", "White space stands before the first field (RFC 9112 §2.2); the line was ignored."),
	StartLineSpace:       anomaly.Info("http1_start_line_space", "A start line has more white space than RFC 9112 §3 allows; the words were taken."),
	TargetInvalid:        anomaly.Notice("http1_target_invalid", "A request target has none of the four forms of RFC 9112 §3.2, or has white space in it."),
	MethodCase:           anomaly.Info("http1_method_case", "A method differs from a standard one by letter case only (methods are case-sensitive, RFC 9110 §9.1); it was left as sent."),
	VersionUnsupported:   anomaly.Notice("http1_version", "A message names an HTTP/1 version other than 1.0 and 1.1; it was read as 1.1."),
	StatusInvalid:        anomaly.Notice("http1_status_invalid", "A status code lies outside 100 to 599 (RFC 9110 §15)."),
	FieldWithoutColon:    anomaly.Notice("http1_field_without_colon", "A header line has no colon (RFC 9112 §5.1); it was ignored."),
	FieldNameInvalid:     anomaly.Notice("http1_field_name_invalid", "A field name has characters that RFC 9110 §5.1 does not allow; the field was kept, and not used for framing."),
	FieldNameSpace:       anomaly.Notice("http1_field_name_space", "White space stands between a field name and its colon (RFC 9112 §5.1: request smuggling); the field was used without it."),
	HeadTooLarge:         anomaly.Notice("http1_head_too_large", "A head is larger than the analysis keeps; it was read to its end, and fields beyond the limit are not shown."),
	TooManyFields:        anomaly.Notice("http1_too_many_fields", "A message has more fields than the analysis keeps; the others were read for framing and are not shown."),
	LengthInvalid:        anomaly.Notice("http1_content_length_invalid", "A Content-Length is not a number (RFC 9112 §6.3); where the body ends is not known."),
	LengthRepeated:       anomaly.Info("http1_content_length_repeated", "Content-Length was sent more than once with the same value (RFC 9110 §8.6); it was used once."),
	LengthConflict:       anomaly.Notice("http1_content_length_conflict", "Content-Length was sent with different values (RFC 9112 §6.3: request smuggling); where the body ends is not known."),
	LengthWithChunked:    anomaly.Notice("http1_length_with_chunked", "Both Content-Length and Transfer-Encoding were sent (RFC 9112 §6.3: request smuggling); Transfer-Encoding was used."),
	ChunkedInHTTP10:      anomaly.Notice("http1_chunked_in_http10", "An HTTP/1.0 message has Transfer-Encoding (RFC 9112 §6.1); it was used, peers may differ."),
	CodingUnknown:        anomaly.Info("http1_transfer_coding", "A transfer coding other than chunked was sent (RFC 9112 §7); the content is shown as coded."),
	ChunkedNotLast:       anomaly.Notice("http1_chunked_not_last", "chunked is not the last transfer coding, or is there twice (RFC 9112 §6.1, §6.3)."),
	FramingForbidden:     anomaly.Info("http1_framing_forbidden", "A response that cannot have a body (1xx, 204, 2xx to CONNECT) has Content-Length or Transfer-Encoding (RFC 9110 §8.6); it was ignored."),
	HostMissing:          anomaly.Info("http1_host_missing", "An HTTP/1.1 request has no Host (RFC 9112 §3.2)."),
	HostRepeated:         anomaly.Notice("http1_host_repeated", "A request has more than one Host (RFC 9112 §3.2); the first was taken."),
	ChunkSizeInvalid:     anomaly.Notice("http1_chunk_size_invalid", "A chunk size is not a hexadecimal number below 2^63 (RFC 9112 §7.1); where the body ends is not known."),
	ChunkLineTooLong:     anomaly.Notice("http1_chunk_line_too_long", "A chunk-size line is longer than the analysis reads; where the body ends is not known."),
	ChunkEndInvalid:      anomaly.Notice("http1_chunk_end_invalid", "Chunk data is not followed by a line end (RFC 9112 §7.1); where the body ends is not known."),
	UpgradeUnnamed:       anomaly.Notice("http1_upgrade_unnamed", "A 101 response names no protocol in Upgrade (RFC 9110 §15.2.2)."),
	HeadHole:             anomaly.DataLoss("http1_head_hole", "Bytes of a head were not recorded: its later fields and the end of its body are not known; raise --snaplen, or the ring if bytes were lost."),
	HeadTruncated:        anomaly.Notice("http1_head_truncated", "The stream ended inside a head."),
	BodyHole:             anomaly.Info("http1_body_hole", "Bytes of a body were not recorded; its length is known all the same. Raise --snaplen to see the content."),
	FramingHole:          anomaly.DataLoss("http1_framing_hole", "A hole covers the framing of a body: its length is not known; raise --snaplen, or the ring if bytes were lost."),
	LastChunkInferred:    anomaly.Info("http1_last_chunk_inferred", "After a hole in chunk framing, the end of the body was taken from a last chunk at the end of a call."),
	TruncatedByClose:     anomaly.Notice("http1_truncated_by_close", "The connection was closed before the message was whole (RFC 9112 §8)."),
	TruncatedByReset:     anomaly.Notice("http1_truncated_by_reset", "The connection was reset before the message was whole."),
	CloseIgnored:         anomaly.Info("http1_close_ignored", "A message follows one that announced the end of the connection (RFC 9112 §9.6); it was read."),
	HeadResponseInferred: anomaly.Notice("http1_head_response_inferred", "A response whose request is not known announced a body, and the next response came in its place: it was taken for the answer to HEAD."),

	LeadingCRLF:        anomaly.Info("http1_leading_crlf", "Empty lines stand before a message (RFC 9112 §2.2); they were ignored."),
	MidStream:          anomaly.Notice("http1_mid_stream", "The recording began inside a message: its bytes up to the next one that could be told apart are in no exchange."),
	HoleBetween:        anomaly.DataLoss("http1_hole_between", "A hole begins between two messages: the messages in it are not known; raise the ring (or --snaplen for pipelined messages)."),
	Unsynchronised:     anomaly.DataLoss("http1_unsynchronised", "Bytes after a hole could not be told to be a message; they are in no exchange."),
	Garbage:            anomaly.Notice("http1_garbage", "Bytes that are no HTTP/1 message follow one; they are in no exchange."),
	StartLineTruncated: anomaly.Notice("http1_start_line_truncated", "A hole or the end of the stream came before a start line could be told; its bytes are in no exchange."),
	StartLineTooLong:   anomaly.Notice("http1_start_line_too_long", "A start line is longer than the analysis keeps."),
}

// Def returns the registered name, the severity and the sentence of a.
func (a Anomaly) Def() anomaly.Def { return registered.Of(a) }

func (a Anomaly) String() string { return a.Def().Name }

// Registered yields every anomaly of this package.
func Registered() iter.Seq2[Anomaly, anomaly.Def] { return registered.All() }

// AppendNames appends the registered names of the anomalies in s that dst does not have yet. It allocates only to grow dst.
func AppendNames(dst []string, s Anomalies) []string { return registered.AppendNames(dst, s) }
