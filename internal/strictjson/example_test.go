package strictjson_test

import (
	"fmt"

	"github.com/flagstage/flagstage/internal/strictjson"
)

func Example() {
	document := `{"key": "careful", "wait": 2.5, "tags": ["a", "b"], "wiat": 1, "key": "again"}`

	d := strictjson.NewDecoder([]byte(document), func(pointer, code, message string) {
		fmt.Printf("%s: %s [%s]\n", pointer, message, code)
	})
	var key string
	var tags []string
	if d.BeginObject() {
		for name, ok := d.NextMember(); ok; name, ok = d.NextMember() {
			switch name {
			case "key":
				key, _ = d.ReadString()
			case "wait":
				d.ReadInt()
			case "tags":
				if !d.BeginArray() {
					continue
				}
				for d.NextElement() {
					tag, _ := d.ReadString()
					tags = append(tags, tag)
				}
			default:
				d.UnknownMember(name, "key", "wait", "tags")
			}
		}
	}
	d.End()
	if err := d.Err(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(key, tags)
	// Output:
	// /wait: is 2.5, must be an integer in plain digits [wrong_type]
	// /wiat: the member "wiat" is unknown here; did you mean "wait"? [unknown_member]
	// /key: the name "key" stands twice in this object [duplicate]
	// careful [a b]
}
