package flags

import "github.com/flagstage/flagstage/internal/strictjson"

type propertyBody struct {
	key, name string
	values    []string
	more      string
}

func appendProperties(dst []byte, list []propertyBody) []byte {
	dst = appendName(dst, "customProperties")
	start := len(dst)
	for i := range list {
		p := &list[i]
		dst = append(strictjson.AppendString(append(dst, ','), p.key), ':')
		inner := len(dst)
		dst = strictjson.AppendString(appendName(dst, "name"), p.name)
		dst = strictjson.AppendStrings(appendName(dst, "value"), p.values)
		dst = closeObject(append(dst, p.more...), inner)
	}
	return closeObject(dst, start)
}

var propertyMembers = []string{"name", "value"}

func (r *flagReader) properties() (list []propertyBody) {
	d := r.d
	if d.Null() || !d.BeginObject() {
		return nil
	}
	for key, ok := d.NextMember(); ok; key, ok = d.NextMember() {
		if key == "" {
			r.report(CodeMalformed, "has an empty key")
		}
		p := propertyBody{key: key}
		valueGiven := false
		var given bool
		p.more, given = r.object(func(name string) bool {
			switch name {
			case "name":
				p.name = r.optional(blankText)
			case "value":
				valueGiven = true
				p.values = readList(&r.reader, 1, func() string { return r.text(anyText) })
			default:
				return false
			}
			return true
		}, propertyMembers)
		switch {
		case !given && !r.failed():
			r.report(CodeWrongType, messageNull)
		case given && !valueGiven:
			r.missing("value", messageMissing)
		}
		if !r.failed() {
			list = append(list, p)
		}
	}
	r.report(listDefect(len(list)))
	return list
}
