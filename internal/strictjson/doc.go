// Package strictjson reads and writes JSON that comes from people nobody has
// reason to trust.
//
// The decoder walks a document once, hands out its values one by one, and
// keeps to RFC 8259 and to stricter rules on top, because a flag release must
// never mean one thing to its author and another to the program:
//
//   - the text is valid UTF-8 without a byte order mark, lone surrogate or NUL;
//   - no object, at any level, holds the same name twice;
//   - names match byte for byte;
//   - nothing follows the document;
//   - depth, sizes and the length of numbers are bounded.
//
// What breaks the text itself (syntax, encoding, depth, size of the document)
// ends the reading: see [Decoder.Err]. What breaks a rule about one value
// (its type, a repeated or unknown name, a length) is reported with its JSON
// Pointer (RFC 6901), the value is passed over, and reading goes on, so that a
// caller learns of all problems at once. A caller that has heard enough of them
// says so with [Decoder.TellUntil].
//
// The writer half appends canonical text: no space, and strings escaped as
// encoding/json escapes them.
package strictjson
