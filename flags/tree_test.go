package flags_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// node is a JSON value whose members keep their order, so that tests can
// change one thing in a document.
type node struct {
	text    string // of a scalar
	array   bool
	object  bool
	members []member // or elements, without names
}

type member struct {
	name  string
	value *node
}

func parse(t testing.TB, document string) *node {
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	return parseNext(t, d)
}

func parseNext(t testing.TB, d *json.Decoder) *node {
	token, err := d.Token()
	require.NoError(t, err)
	delim, ok := token.(json.Delim)
	if !ok {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		require.NoError(t, e.Encode(token))
		return &node{text: strings.TrimSpace(b.String())}
	}
	n := &node{array: delim == '[', object: delim == '{'}
	for d.More() {
		name := ""
		if n.object {
			token, err := d.Token()
			require.NoError(t, err)
			name = token.(string)
		}
		n.members = append(n.members, member{name: name, value: parseNext(t, d)})
	}
	_, err = d.Token()
	require.NoError(t, err)
	return n
}

func (n *node) String() string {
	if !n.array && !n.object {
		return n.text
	}
	parts := make([]string, len(n.members))
	for i, m := range n.members {
		parts[i] = m.value.String()
		if n.object {
			name, _ := json.Marshal(m.name)
			parts[i] = string(name) + ":" + parts[i]
		}
	}
	if n.array {
		return "[" + strings.Join(parts, ",") + "]"
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// kind returns a word for the type of the value.
func (n *node) kind() string {
	switch {
	case n.array:
		return "array"
	case n.object:
		return "object"
	case n.text[0] == '"':
		return "string"
	case n.text == "true", n.text == "false":
		return "boolean"
	case n.text == "null":
		return "null"
	}
	return "number"
}

// at returns the value that a JSON Pointer names, nil if there is none.
func (n *node) at(pointer string) *node {
	if pointer == "" {
		return n
	}
	token, rest, more := strings.Cut(pointer[1:], "/")
	if more {
		rest = "/" + rest
	}
	token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
	for i, m := range n.members {
		if n.object && m.name == token || n.array && fmt.Sprint(i) == token {
			return m.value.at(rest)
		}
	}
	return nil
}

// scalars calls f for everything that is neither array nor object.
func (n *node) scalars(f func(*node)) {
	if !n.array && !n.object {
		f(n)
	}
	for _, m := range n.members {
		m.value.scalars(f)
	}
}

// freeMembers hold values, or objects with free names: nothing in them is
// judged by name.
var freeMembers = []string{"onVariationValue", "offVariationValue", "rolloutWeights"}

func isFree(kind, name string) bool {
	return slices.Contains(freeMembers, name) || name == "value" && strings.HasSuffix(kind, "dVariation") || name == "value" && kind == "updateVariation"
}

// each calls f for every object of an instruction whose members have fixed
// names, with its pointer.
func (n *node) each(kind, pointer string, f func(pointer string, object *node)) {
	if n.object {
		f(pointer, n)
	}
	for i, m := range n.members {
		step := m.name
		if n.array {
			step = fmt.Sprint(i)
		}
		if isFree(kind, step) || strings.HasSuffix(pointer, "/values") || strings.HasSuffix(kind, "Clause") && step == "values" {
			continue
		}
		m.value.each(kind, pointer+"/"+step, f)
	}
}
