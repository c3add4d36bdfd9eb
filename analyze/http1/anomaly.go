package http1

import (
	"iter"
	"math/bits"

	"github.com/ebpf-reel/reel/analyze/facts"
)

// Anomaly is something in a stream that RFC 9112 does not allow, or that the recording does not show. Each has a registered
// name, a severity and a sentence for the ledger (DESIGN D6).
type Anomaly uint8

// Anomalies is a set of them.
type Anomalies uint64

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

	numAnomalies
)

var anomalies = [numAnomalies]struct {
	name     string
	severity facts.Severity
	sentence string
}{
	BareLF:               {"http1_bare_lf", facts.Info, "A line of a head or of chunk framing ends with LF alone (RFC 9112 §2.2); it was taken as a line end."},
	BareCR:               {"http1_bare_cr", facts.Notice, "A head has a CR that no LF follows (RFC 9112 §2.2); peers differ on what it means."},
	NULByte:              {"http1_nul", facts.Notice, "A head has a NUL byte (RFC 9110 §5.5)."},
	ObsFold:              {"http1_obs_fold", facts.Info, "A field value goes on over a line end (RFC 9112 §5.2, obsolete); the lines were joined by spaces."},
	FoldWithoutField:     {"http1_fold_without_field", facts.Notice, "White space stands before the first field (RFC 9112 §2.2); the line was ignored."},
	StartLineSpace:       {"http1_start_line_space", facts.Info, "A start line has more white space than RFC 9112 §3 allows; the words were taken."},
	TargetInvalid:        {"http1_target_invalid", facts.Notice, "A request target has none of the four forms of RFC 9112 §3.2, or has white space in it."},
	MethodCase:           {"http1_method_case", facts.Info, "A method differs from a standard one by letter case only (methods are case-sensitive, RFC 9110 §9.1); it was left as sent."},
	VersionUnsupported:   {"http1_version", facts.Notice, "A message names an HTTP/1 version other than 1.0 and 1.1; it was read as 1.1."},
	StatusInvalid:        {"http1_status_invalid", facts.Notice, "A status code lies outside 100 to 599 (RFC 9110 §15)."},
	FieldWithoutColon:    {"http1_field_without_colon", facts.Notice, "A header line has no colon (RFC 9112 §5.1); it was ignored."},
	FieldNameInvalid:     {"http1_field_name_invalid", facts.Notice, "A field name has characters that RFC 9110 §5.1 does not allow; the field was kept, and not used for framing."},
	FieldNameSpace:       {"http1_field_name_space", facts.Notice, "White space stands between a field name and its colon (RFC 9112 §5.1: request smuggling); the field was used without it."},
	HeadTooLarge:         {"http1_head_too_large", facts.Notice, "A head is larger than the analysis keeps; it was read to its end, and fields beyond the limit are not shown."},
	TooManyFields:        {"http1_too_many_fields", facts.Notice, "A message has more fields than the analysis keeps; the others were read for framing and are not shown."},
	LengthInvalid:        {"http1_content_length_invalid", facts.Notice, "A Content-Length is not a number (RFC 9112 §6.3); where the body ends is not known."},
	LengthRepeated:       {"http1_content_length_repeated", facts.Info, "Content-Length was sent more than once with the same value (RFC 9110 §8.6); it was used once."},
	LengthConflict:       {"http1_content_length_conflict", facts.Notice, "Content-Length was sent with different values (RFC 9112 §6.3: request smuggling); where the body ends is not known."},
	LengthWithChunked:    {"http1_length_with_chunked", facts.Notice, "Both Content-Length and Transfer-Encoding were sent (RFC 9112 §6.3: request smuggling); Transfer-Encoding was used."},
	ChunkedInHTTP10:      {"http1_chunked_in_http10", facts.Notice, "An HTTP/1.0 message has Transfer-Encoding (RFC 9112 §6.1); it was used, peers may differ."},
	CodingUnknown:        {"http1_transfer_coding", facts.Info, "A transfer coding other than chunked was sent (RFC 9112 §7); the content is shown as coded."},
	ChunkedNotLast:       {"http1_chunked_not_last", facts.Notice, "chunked is not the last transfer coding, or is there twice (RFC 9112 §6.1, §6.3)."},
	FramingForbidden:     {"http1_framing_forbidden", facts.Info, "A response that cannot have a body (1xx, 204, 2xx to CONNECT) has Content-Length or Transfer-Encoding (RFC 9110 §8.6); it was ignored."},
	HostMissing:          {"http1_host_missing", facts.Info, "An HTTP/1.1 request has no Host (RFC 9112 §3.2)."},
	HostRepeated:         {"http1_host_repeated", facts.Notice, "A request has more than one Host (RFC 9112 §3.2); the first was taken."},
	ChunkSizeInvalid:     {"http1_chunk_size_invalid", facts.Notice, "A chunk size is not a hexadecimal number below 2^63 (RFC 9112 §7.1); where the body ends is not known."},
	ChunkLineTooLong:     {"http1_chunk_line_too_long", facts.Notice, "A chunk-size line is longer than the analysis reads; where the body ends is not known."},
	ChunkEndInvalid:      {"http1_chunk_end_invalid", facts.Notice, "Chunk data is not followed by a line end (RFC 9112 §7.1); where the body ends is not known."},
	UpgradeUnnamed:       {"http1_upgrade_unnamed", facts.Notice, "A 101 response names no protocol in Upgrade (RFC 9110 §15.2.2)."},
	HeadHole:             {"http1_head_hole", facts.DataLoss, "Bytes of a head were not recorded: its later fields and the end of its body are not known; raise --snaplen, or the ring if bytes were lost."},
	HeadTruncated:        {"http1_head_truncated", facts.Notice, "The stream ended inside a head."},
	BodyHole:             {"http1_body_hole", facts.Info, "Bytes of a body were not recorded; its length is known all the same. Raise --snaplen to see the content."},
	FramingHole:          {"http1_framing_hole", facts.DataLoss, "A hole covers the framing of a body: its length is not known; raise --snaplen, or the ring if bytes were lost."},
	LastChunkInferred:    {"http1_last_chunk_inferred", facts.Info, "After a hole in chunk framing, the end of the body was taken from a last chunk at the end of a call."},
	TruncatedByClose:     {"http1_truncated_by_close", facts.Notice, "The connection was closed before the message was whole (RFC 9112 §8)."},
	TruncatedByReset:     {"http1_truncated_by_reset", facts.Notice, "The connection was reset before the message was whole."},
	CloseIgnored:         {"http1_close_ignored", facts.Info, "A message follows one that announced the end of the connection (RFC 9112 §9.6); it was read."},
	HeadResponseInferred: {"http1_head_response_inferred", facts.Notice, "A response whose request is not known announced a body, and the next response came in its place: it was taken for the answer to HEAD."},

	LeadingCRLF:        {"http1_leading_crlf", facts.Info, "Empty lines stand before a message (RFC 9112 §2.2); they were ignored."},
	MidStream:          {"http1_mid_stream", facts.Notice, "The recording began inside a message: its bytes up to the next one that could be told apart are in no exchange."},
	HoleBetween:        {"http1_hole_between", facts.DataLoss, "A hole begins between two messages: the messages in it are not known; raise the ring (or --snaplen for pipelined messages)."},
	Unsynchronised:     {"http1_unsynchronised", facts.DataLoss, "Bytes after a hole could not be told to be a message; they are in no exchange."},
	Garbage:            {"http1_garbage", facts.Notice, "Bytes that are no HTTP/1 message follow one; they are in no exchange."},
	StartLineTruncated: {"http1_start_line_truncated", facts.Notice, "A hole or the end of the stream came before a start line could be told; its bytes are in no exchange."},
	StartLineTooLong:   {"http1_start_line_too_long", facts.Notice, "A start line is longer than the analysis keeps."},
}

// Name returns the registered name ("http1_bare_lf").
func (a Anomaly) Name() string {
	if a < numAnomalies {
		return anomalies[a].name
	}
	return "http1_unregistered"
}

func (a Anomaly) String() string { return a.Name() }

// Severity returns how much it matters.
func (a Anomaly) Severity() facts.Severity {
	if a < numAnomalies {
		return anomalies[a].severity
	}
	return facts.Error
}

// Sentence returns what it means and what was done, for the ledger.
func (a Anomaly) Sentence() string {
	if a < numAnomalies {
		return anomalies[a].sentence
	}
	return ""
}

// Registered yields every anomaly of this package.
func Registered() iter.Seq[Anomaly] {
	return func(yield func(Anomaly) bool) {
		for a := range numAnomalies {
			if !yield(a) {
				return
			}
		}
	}
}

func (s *Anomalies) add(a Anomaly) { *s |= 1 << a }

// Has reports whether a is in s.
func (s Anomalies) Has(a Anomaly) bool { return s&(1<<a) != 0 }

// All yields the anomalies in s, in their order.
func (s Anomalies) All() iter.Seq[Anomaly] {
	return func(yield func(Anomaly) bool) {
		for s != 0 {
			a := Anomaly(bits.TrailingZeros64(uint64(s)))
			if !yield(a) {
				return
			}
			s &= s - 1
		}
	}
}

// AppendNames appends the registered names of the anomalies in s. It allocates only to grow dst.
func (s Anomalies) AppendNames(dst []string) []string {
	for a := range s.All() {
		dst = append(dst, a.Name())
	}
	return dst
}
