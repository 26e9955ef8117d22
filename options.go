package flagstage

import "github.com/flagstage/flagstage/flags"

// An Option changes how documents are read. All are optional.
type Option func(*options)

type options struct {
	reading flags.Reading
}

// WithHostKinds lets instructions of the given kinds pass that this module
// does not define. They are carried as they are, with the spelling and order
// of their members; the host that applies them knows what they mean. A
// documented kind keeps its meaning.
func WithHostKinds(kinds ...string) Option {
	return func(o *options) { o.reading.HostKinds = append(o.reading.HostKinds, kinds...) }
}

func newOptions(list []Option) options {
	var o options
	for _, option := range list {
		if option != nil {
			option(&o)
		}
	}
	return o
}
