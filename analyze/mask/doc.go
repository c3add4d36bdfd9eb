// Package mask turns rows with credentials into rows without them (DESIGN D15), and keeps of payloads what the user's policy
// allows.
//
// Masked bytes become '*', one for one: lengths, offsets and framing stay what they were. Masked are
//   - the values of credential fields in HTTP heads ([SecretField] has the rule): Authorization and Proxy-Authorization but for
//     the scheme, Cookie, Set-Cookie, known token fields and whatever is named like one;
//   - the userinfo of URLs and the values of secret query parameters ([SecretParam]) in request targets and in the fields that
//     carry URLs (Location, Referer, ...);
//   - the same in process arguments ([Args]).
//
// The masker is lexical: it knows lines, field names and URLs, but not where a message or a body begins. So no framing, lying
// length, pipelining or hole can lead it past a credential. Its price is that a line of a body that looks like such a field is
// masked too. Its state is kept per socket and direction, since a name or a value may be split over calls at any byte.
//
// Where bytes are missing (budget, loss, a start in mid-stream, an evicted connection) or come out of order, it cannot know
// whether it is inside a credential. There it masks up to the end of the line, unless the bytes cannot be the rest of a
// field: a start line, a chunk-size line, or a control character before the line ends. A continuation line behind it is
// masked as well.
//
// Not masked: bodies (the payload policy decides about them), credentials of other protocols, and ciphertext.
package mask
