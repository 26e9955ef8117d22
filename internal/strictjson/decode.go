package strictjson

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of what a Decoder accepts.
const (
	MaxDocument = 1 << 20  // bytes in a document
	MaxDepth    = 64       // arrays and objects open at the same time
	MaxString   = 64 << 10 // bytes in a string, escapes resolved
	MaxNumber   = 32       // characters in a number
)

// Codes of what a Decoder reports; their texts are stable.
const (
	CodeSyntax        = "syntax"
	CodeWrongType     = "wrong_type"
	CodeMalformed     = "malformed"
	CodeOutOfRange    = "out_of_range"
	CodeUnknownMember = "unknown_member"
	CodeDuplicate     = "duplicate"
	CodeTooLarge      = "too_large"
)

// Kind says what sort of value comes next.
type Kind byte

// The kinds of JSON values. Invalid stands for anything that begins none.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

var kindNames = [...]string{"no value", "null", "a boolean", "a number", "a string", "an array", "an object"}

// String returns the kind with its article, as in "an object".
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		k = Invalid
	}
	return kindNames[k]
}

// Error is what made reading stop. It is a defect of the text as a whole, so
// nothing that was read before it should be used.
type Error struct {
	Pointer string // RFC 6901, of the value being read
	Offset  int    // in bytes, from 0
	Code    string // CodeSyntax or CodeTooLarge
	Message string
}

// Error returns the pointer, unless it is empty, and the message.
func (e *Error) Error() string {
	if e.Pointer == "" {
		return e.Message
	}
	return e.Pointer + ": " + e.Message
}

// Reporter is told of each defect that does not stop the reading.
type Reporter func(pointer, code, message string)

// Decoder reads one document. Its methods are called in the order in which
// the text goes: [Decoder.BeginObject] and then [Decoder.NextMember] until it
// returns false, reading or skipping exactly one value for each member;
// likewise for arrays; at last [Decoder.End]. After an error everything
// returns zero values and nothing more is reported, so loops end by
// themselves.
//
// Strings without escapes are parts of one copy of the document and keep it
// alive. A Decoder is not safe for concurrent use.
type Decoder struct {
	text   string
	pos    int
	err    *Error
	report Reporter
	root   *Decoder // itself, or the decoder that this one is inside of

	frames []frame             // one for each open array or object
	names  []string            // of the open objects' members so far, innermost last
	large  map[member]struct{} // the names of objects with many members
	sets   int32               // how many objects have their names in large

	enough  func() bool // says that nobody reads on; in root only, may be nil
	reports int         // defects that did not stop the reading; counted in root only
	untold  int         // those of them that report was not told; counted in root only

	rewrite bool // text was read that differs from its canonical form
	deepest int  // the greatest depth reached

	firstFrames [11]frame  // what frames is made of at first: most documents
	firstNames  [24]string // need no more, and nothing else is allocated
}

// frame is an open array or object and where the reading stands in it.
type frame struct {
	name   string // of the current member
	index  int32  // of the current element; -1 before the first
	names  int32  // where this object's names begin in Decoder.names
	set    int32  // if not 0, the names are in Decoder.large, by this number
	object bool
	begun  bool // name or index are those of a member or element
}

// member is a name in an object with many members.
type member struct {
	set  int32
	name string
}

// NewDecoder returns a decoder of document, of which it keeps a copy. report
// is called during reading for defects of single values; nil discards them.
func NewDecoder(document []byte, report Reporter) *Decoder {
	d := newDecoder(report)
	if d.bounded(len(document)) {
		d.text = string(document)
	}
	return d
}

func newDecoder(report Reporter) *Decoder {
	if report == nil {
		report = func(string, string, string) {}
	}
	d := &Decoder{report: report}
	d.root, d.frames, d.names = d, d.firstFrames[:0], d.firstNames[:0]
	return d
}

// bounded fails if a document of this size is not allowed.
func (d *Decoder) bounded(size int) bool {
	if size > MaxDocument {
		d.fail(CodeTooLarge, fmt.Sprintf("the document has more than %d bytes", MaxDocument))
	}
	return d.err == nil
}

// Inside returns a decoder of a document that stands in a string of d's
// document. Its pointers continue d's, its depth counts on from d's, and it
// reports to the same Reporter; its own [Decoder.Err] must be asked for. With
// parent the inner document stands for the whole object whose member the
// string is, instead of for that member.
func (d *Decoder) Inside(text string, parent bool) *Decoder {
	in := newDecoder(d.report)
	in.root, in.err = d.root, d.err
	outer := d.frames
	if parent && len(outer) > 0 {
		outer = outer[:len(outer)-1]
	}
	in.frames = append(in.frames, outer...)
	if in.bounded(len(text)) {
		in.text = text
	}
	return in
}

// Err returns what made reading stop, or nil.
func (d *Decoder) Err() *Error { return d.err }

// Pointer returns the JSON Pointer of the current value. A name of over 64
// bytes is cut off and ends in an ellipsis; an ellipsis also stands for all
// that would make the pointer longer than 192 bytes.
func (d *Decoder) Pointer() string {
	p, _ := d.pointer()
	return string(p)
}

// PointerTo returns the JSON Pointer of a member, which need not exist, of the
// current value. That is the current object right after BeginObject and right
// after NextMember returned false. It is cut like those of [Decoder.Pointer].
func (d *Decoder) PointerTo(name string) string {
	p, whole := d.pointer()
	if whole {
		p, _ = bounded(AppendPointer(p, clip(name)), len(p))
	}
	return string(p)
}

func (d *Decoder) pointer() (p []byte, whole bool) {
	p = make([]byte, 0, 64)
	for i := range d.frames {
		f := &d.frames[i]
		before := len(p)
		switch {
		case !f.begun:
			continue
		case f.object:
			p = AppendPointer(p, clip(f.name))
		default:
			p = strconv.AppendInt(append(p, '/'), int64(f.index), 10)
		}
		if p, whole = bounded(p, before); !whole {
			return p, false
		}
	}
	return p, true
}

// bounded puts an ellipsis in place of the last part of a pointer, which
// begins at last, if the pointer is too long.
func bounded(p []byte, last int) (_ []byte, whole bool) {
	const most = 192 // so that a message may quote 64 bytes more
	if len(p) <= most {
		return p, true
	}
	return append(p[:last], "/…"...), false
}

// AppendPointer appends one name to a JSON Pointer, escaped by RFC 6901.
func AppendPointer(pointer []byte, name string) []byte {
	pointer = append(pointer, '/')
	for i := range len(name) {
		switch c := name[i]; c {
		case '~':
			pointer = append(pointer, "~0"...)
		case '/':
			pointer = append(pointer, "~1"...)
		default:
			pointer = append(pointer, c)
		}
	}
	return pointer
}

// TellUntil lets the Reporter say when it has heard enough, which it is asked
// before it is told of anything. From then on defects are only counted, and
// neither pointers nor messages are made: there may be as many of them as the
// document has bytes.
func (d *Decoder) TellUntil(enough func() bool) { d.root.enough = enough }

// Reports returns the number of defects that did not stop the reading, those
// that the Reporter was not told included.
func (d *Decoder) Reports() int { return d.root.reports }

// Untold returns how many of them the Reporter was not told; see
// [Decoder.TellUntil].
func (d *Decoder) Untold() int { return d.root.untold }

// tells counts a defect and reports whether the Reporter wants to know it.
func (d *Decoder) tells() bool {
	if d.err != nil {
		return false
	}
	root := d.root
	root.reports++
	if root.untold > 0 || root.enough != nil && root.enough() {
		root.untold++
		return false
	}
	return true
}

// Report reports a defect of the current value.
func (d *Decoder) Report(code, message string) {
	if d.tells() {
		d.report(d.Pointer(), code, message)
	}
}

// ReportFunc reports a defect of the current value, with a message that is made
// only if the Reporter is told.
func (d *Decoder) ReportFunc(code string, message func() string) {
	if d.tells() {
		d.report(d.Pointer(), code, message())
	}
}

// ReportMember reports a defect of a member of the current value, which need
// not exist; see [Decoder.PointerTo].
func (d *Decoder) ReportMember(name, code, message string) {
	if d.tells() {
		d.report(d.PointerTo(name), code, message)
	}
}

func (d *Decoder) fail(code, message string) {
	if d.err == nil {
		d.err = &Error{Pointer: d.Pointer(), Offset: d.pos, Code: code, Message: message}
	}
	d.pos = len(d.text)
}

func (d *Decoder) syntax(format string, args ...any) {
	before := d.text[:min(d.pos, len(d.text))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	d.fail(CodeSyntax, fmt.Sprintf("%s (line %d, column %d)", fmt.Sprintf(format, args...), line, column))
}

// unexpected fails with what was found in place of what was wanted.
func (d *Decoder) unexpected(want string) {
	if d.pos >= len(d.text) {
		d.syntax("the text ends where %s should be", want)
		return
	}
	r, size := utf8.DecodeRuneInString(d.text[d.pos:])
	if r == utf8.RuneError && size == 1 {
		d.syntax("byte 0x%02x is not UTF-8", d.text[d.pos])
		return
	}
	if r == '\ufeff' {
		d.syntax("a byte order mark stands where %s should be; remove it", want)
		return
	}
	d.syntax("%q stands where %s should be", r, want)
}

// next passes over space and returns the byte that follows, or 0 at the end
// of the text.
func (d *Decoder) next() byte {
	if c := d.here(); c > ' ' {
		return c
	}
	return d.space()
}

// here returns the byte at the current position. Together with space it does
// what next does, in the hot loops and without a call.
func (d *Decoder) here() byte {
	if d.pos < len(d.text) {
		return d.text[d.pos]
	}
	return 0
}

func (d *Decoder) space() byte {
	if i := afterSpace(d.text, d.pos); i > d.pos {
		d.pos, d.rewrite = i, true
	}
	return d.here()
}

// Kind returns the kind of the value that comes next, judged by its first
// character.
func (d *Decoder) Kind() Kind { return kindOf(d.next()) }

func kindOf(c byte) Kind { return kinds[c] }

var kinds = [256]Kind{
	'{': Object, '[': Array, '"': String, 't': Bool, 'f': Bool, 'n': Null, '-': Number,
	'0': Number, '1': Number, '2': Number, '3': Number, '4': Number,
	'5': Number, '6': Number, '7': Number, '8': Number, '9': Number,
}

// want reports whether the next value is of kind k. If not, it says so and
// passes over the value.
func (d *Decoder) want(k Kind) bool {
	c := d.here()
	if c <= ' ' {
		c = d.space()
	}
	got := kindOf(c)
	switch {
	case d.err != nil:
		return false
	case got == k:
		return true
	case got == Invalid:
		d.unexpected("a value")
	default:
		d.ReportFunc(CodeWrongType, func() string { return "is " + got.String() + ", must be " + k.String() })
		d.Skip()
	}
	return false
}

// Null reports whether the next value is null, and reads it if so.
func (d *Decoder) Null() bool {
	return d.err == nil && d.Kind() == Null && d.literal("null")
}

// BeginObject enters the next value. It reports a value that is no object,
// passes over it and returns false.
func (d *Decoder) BeginObject() bool { return d.want(Object) && d.open(true) }

// BeginArray enters the next value. It reports a value that is no array,
// passes over it and returns false.
func (d *Decoder) BeginArray() bool { return d.want(Array) && d.open(false) }

func (d *Decoder) open(object bool) bool {
	if len(d.frames) == MaxDepth {
		d.fail(CodeTooLarge, fmt.Sprintf("arrays and objects are nested deeper than %d", MaxDepth))
		return false
	}
	d.pos++
	d.frames = append(d.frames, frame{object: object, index: -1, names: int32(len(d.names))})
	d.deepest = max(d.deepest, len(d.frames))
	return true
}

func (d *Decoder) close() {
	d.pos++
	last := len(d.frames) - 1
	d.names = d.names[:d.frames[last].names]
	d.frames = d.frames[:last]
}

// NextMember goes to the next member of the current object and returns its
// name, or false at the object's end, which it leaves. A member whose name
// was there before is reported and passed over.
func (d *Decoder) NextMember() (name string, ok bool) {
	for d.err == nil {
		f := &d.frames[len(d.frames)-1]
		c := d.here()
		if c <= ' ' {
			c = d.space()
		}
		if c == '}' {
			d.close()
			return "", false
		}
		begun := f.begun
		f.begun = false // what is wrong before the next name is the object's
		if begun {
			if c != ',' {
				d.unexpected("a comma or a closing brace")
				return "", false
			}
			d.pos++
			if c = d.here(); c <= ' ' {
				c = d.space()
			}
		}
		if c != '"' {
			d.unexpected("a member's name in double quotes")
			return "", false
		}
		name, tooLong := d.scanString()
		if d.err != nil {
			return "", false
		}
		f.name, f.begun = name, true
		if d.here() != ':' && d.space() != ':' {
			d.unexpected("a colon")
			return "", false
		}
		d.pos++
		switch {
		case tooLong != "":
			d.Report(CodeTooLarge, "the name "+tooLong)
		case d.seen(f, name):
			d.ReportFunc(CodeDuplicate, func() string { return "the name " + Quote(name) + " stands twice in this object" })
		default:
			return name, true
		}
		d.Skip()
	}
	return "", false
}

// hashFrom is the number of members from which on an object's names are
// looked up in a map, so that long objects stay linear.
const hashFrom = 24

// seen notes a name of the current object and reports whether it was there.
func (d *Decoder) seen(f *frame, name string) bool {
	if f.set != 0 {
		before := len(d.large)
		d.large[member{f.set, name}] = struct{}{}
		return len(d.large) == before
	}
	for _, before := range d.names[f.names:] {
		if before == name {
			return true
		}
	}
	d.names = append(d.names, name)
	if len(d.names)-int(f.names) == hashFrom {
		if d.large == nil {
			d.large = make(map[member]struct{}, 2*hashFrom)
		}
		// One map for all, from which nothing is removed, costs as much as
		// there are names; a map for each object would cost much for few.
		d.sets++
		f.set = d.sets
		for _, n := range d.names[f.names:] {
			d.large[member{f.set, n}] = struct{}{}
		}
	}
	return false
}

// NextElement goes to the next element of the current array, or returns false
// at its end, which it leaves.
func (d *Decoder) NextElement() bool {
	if d.err != nil {
		return false
	}
	f := &d.frames[len(d.frames)-1]
	c := d.here()
	if c <= ' ' {
		c = d.space()
	}
	if c == ']' {
		d.close()
		return false
	}
	if f.begun {
		if c != ',' {
			f.begun = false
			d.unexpected("a comma or a closing bracket")
			return false
		}
		d.pos++
		if c = d.here(); c <= ' ' {
			c = d.space()
		}
	}
	f.begun = true
	f.index++
	if kindOf(c) == Invalid {
		d.unexpected("a value")
		return false
	}
	return true
}

// Peek looks ahead for the member called name of the object that was just
// begun, without going on. It returns the member's value if that is a string,
// and the kind of the value, Invalid if there is no such member. Defects on
// the way are left for the reading itself to find.
func (d *Decoder) Peek(name string) (string, Kind) {
	return find(d.text, d.pos, name)
}

// End reports a document that goes on after its value.
func (d *Decoder) End() {
	d.next()
	if d.pos < len(d.text) {
		d.unexpected("the end of the document")
	}
}

// ReadString reads a string. It reports a value of another kind or too long,
// and returns false.
func (d *Decoder) ReadString() (string, bool) {
	if !d.want(String) {
		return "", false
	}
	s, tooLong := d.scanString()
	if tooLong != "" {
		d.Report(CodeTooLarge, tooLong)
		return "", false
	}
	return s, d.err == nil
}

// ReadBool reads a boolean. It reports a value of another kind and returns
// false.
func (d *Decoder) ReadBool() (value, ok bool) {
	if !d.want(Bool) {
		return false, false
	}
	return d.scanBool()
}

func (d *Decoder) scanBool() (value, ok bool) {
	if d.text[d.pos] == 't' {
		ok = d.literal("true")
		return ok, ok
	}
	return false, d.literal("false")
}

func (d *Decoder) literal(word string) bool {
	if !strings.HasPrefix(d.text[d.pos:], word) {
		d.syntax("%s is no JSON value; %s was expected", Quote(d.word()), word)
		return false
	}
	d.pos += len(word)
	return true
}

// word returns the run of letters at the current position.
func (d *Decoder) word() string {
	end := d.pos
	for end < len(d.text) && (d.text[end]|0x20) >= 'a' && (d.text[end]|0x20) <= 'z' {
		end++
	}
	return d.text[d.pos:end]
}

// ReadInt reads an integer. It reports a value of another kind, one that is
// not written in plain digits, and one beyond 64 bits, and returns false.
func (d *Decoder) ReadInt() (int64, bool) {
	if !d.want(Number) {
		return 0, false
	}
	s, plain, ok := d.scanNumber()
	if !ok {
		return 0, false
	}
	if !plain {
		d.ReportFunc(CodeWrongType, func() string { return "is " + s + ", must be an integer in plain digits" })
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		d.ReportFunc(CodeOutOfRange, func() string { return "is " + s + ", beyond what 64 bits hold" })
		return 0, false
	}
	return n, true
}

// ReadValue reads any value and returns its canonical text (see [AppendValue])
// and how deep arrays and objects are nested in it, 0 for a scalar. It returns
// false when something in it was reported.
func (d *Decoder) ReadValue() (text string, depth int, ok bool) {
	d.next()
	start, reports := d.pos, d.root.reports
	d.rewrite, d.deepest = false, len(d.frames)
	d.Skip()
	if d.err != nil || d.root.reports != reports {
		return "", 0, false
	}
	text = d.text[start:d.pos]
	if d.rewrite {
		text = string(AppendValue(make([]byte, 0, len(text)), text))
	}
	return text, d.deepest - len(d.frames), true
}

// Skip passes over one value and reports what breaks a rule in it.
func (d *Decoder) Skip() {
	c := d.here()
	if c <= ' ' {
		c = d.space()
	}
	switch kindOf(c) {
	case Object:
		if d.open(true) {
			for _, ok := d.NextMember(); ok; _, ok = d.NextMember() {
				d.Skip()
			}
		}
	case Array:
		if d.open(false) {
			for d.NextElement() {
				d.Skip()
			}
		}
	case String:
		if size, _ := d.passString(); size > MaxString {
			d.Report(CodeTooLarge, tooLong(size))
		}
	case Number:
		d.scanNumber()
	case Bool:
		d.scanBool()
	case Null:
		d.literal("null")
	case Invalid:
		if d.err == nil {
			d.unexpected("a value")
		}
	}
}
