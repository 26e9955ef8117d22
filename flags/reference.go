package flags

import "strings"

// reference names an attribute of a context, or something inside of one. If it
// begins with a slash it is a path: "/address/city" is the member city of the
// attribute address. In a path "~1" stands for a slash and "~0" for a tilde.
// All else is the name of an attribute, as it is.
type reference struct {
	text string
	// literal says that there are no paths: that of a document which does not
	// say of what kind of contexts the attribute is, since it was written when
	// there were only users.
	literal bool
}

func newReference(text, contextKind string) reference {
	return reference{text, contextKind == "" || text == "" || text[0] != '/'}
}

// isValid reports whether the reference can name anything.
func (ref reference) isValid() bool {
	if ref.literal {
		return ref.text != ""
	}
	text := ref.text
	for i := range len(text) {
		last := i+1 == len(text)
		switch text[i] {
		case '/':
			if last || text[i+1] == '/' {
				return false
			}
		case '~':
			if last || text[i+1] != '0' && text[i+1] != '1' {
				return false
			}
		}
	}
	return true
}

// cut returns the first name of a valid reference, and the path that leads on
// from there, "" if none does.
func (ref reference) cut() (name, path string) {
	if ref.literal {
		return ref.text, ""
	}
	return cutPath(ref.text)
}

// cutPath cuts the first name off a path that begins with a slash.
func cutPath(path string) (name, rest string) {
	name = path[1:]
	if i := strings.IndexByte(name, '/'); i >= 0 {
		name, rest = name[:i], name[i:]
	}
	if strings.IndexByte(name, '~') >= 0 {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
	}
	return name, rest
}

// find returns what a valid reference names in a context of one kind, an absent
// datum if there is nothing.
func (b *contextBody) find(ref reference) datum {
	name, path := ref.cut()
	v := b.attribute(name)
	for path != "" {
		name, path = cutPath(path)
		v = v.member(name)
	}
	return v
}
