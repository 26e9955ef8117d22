package timeline

import (
	"time"

	"github.com/flagstage/flagstage"
	"github.com/flagstage/flagstage/internal/strictjson"
)

// MarshalJSON returns the timeline as JSON, in the same bytes each time.
// Instants are Unix milliseconds, with the local time beside them in RFC 3339;
// places are JSON Pointers into the template; empty members are left out.
func (t Timeline) MarshalJSON() ([]byte, error) { return t.AppendJSON(nil), nil }

// AppendJSON appends what [Timeline.MarshalJSON] returns.
func (t Timeline) AppendJSON(dst []byte) []byte {
	dst = strictjson.AppendString(append(dst, `{"templateKey":`...), t.Plan.TemplateKey())
	dst = strictjson.AppendString(append(dst, `,"name":`...), t.Plan.Name())
	dst = strictjson.AppendString(append(dst, `,"zone":`...), t.zone().String())
	dst = strictjson.AppendStrings(append(dst, `,"assumptions":`...), t.Assumptions)
	if !t.Horizon.IsZero() {
		dst = t.appendInstant(dst, "horizon", t.Horizon)
	}
	dst = append(dst, `,"events":[`...)
	for i, e := range t.Events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = t.appendEvent(dst, e)
	}
	dst = strictjson.AppendString(append(dst, `],"end":{"status":`...), string(t.End.Status))
	dst = t.appendInstant(dst, "at", t.End.At)
	dst = strictjson.AppendString(append(dst, `,"local":`...), t.local(t.End.At))
	dst = strictjson.AppendString(append(dst, `,"standing":`...), t.Standing())
	dst = append(dst, `,"gates":[`...)
	for i, g := range t.End.Gates {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = t.appendGate(dst, g)
	}
	return append(dst, "]}}"...)
}

func (t Timeline) appendEvent(dst []byte, e flagstage.Event) []byte {
	dst = strictjson.AppendInt(append(dst, `{"number":`...), e.Number)
	dst = appendText(dst, "kind", string(e.Kind))
	dst = appendText(dst, "pointer", e.Pointer())
	dst = t.appendInstant(dst, "at", e.At)
	dst = t.appendInstant(dst, "due", e.Due)
	dst = appendText(dst, "local", t.local(e.At))
	if !e.Until.IsZero() {
		dst = t.appendInstant(dst, "until", e.Until)
	}
	dst = appendText(dst, "reason", string(e.Reason))
	dst = appendText(dst, "memberId", e.Actor.MemberID)
	dst = appendText(dst, "serviceTokenId", e.Actor.ServiceTokenID)
	dst = appendText(dst, "review", string(e.Review))
	dst = appendText(dst, "comment", e.Comment)
	return append(dst, '}')
}

func (t Timeline) appendGate(dst []byte, g flagstage.Gate) []byte {
	pointer := flagstage.Event{Stage: g.Stage, Condition: g.Condition}.Pointer()
	dst = strictjson.AppendString(append(dst, `{"pointer":`...), pointer)
	dst = appendText(dst, "kind", string(g.Kind))
	dst = t.appendInstant(dst, "since", g.Since)
	if !g.Until.IsZero() {
		dst = t.appendInstant(dst, "until", g.Until)
	}
	return append(dst, '}')
}

// appendText appends a member that is left out when empty.
func appendText(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return strictjson.AppendString(appendName(dst, name), text)
}

func (t Timeline) appendInstant(dst []byte, name string, at time.Time) []byte {
	return strictjson.AppendInt(appendName(dst, name), at.UnixMilli())
}

func appendName(dst []byte, name string) []byte {
	return append(strictjson.AppendString(append(dst, ','), name), ':')
}

func (t Timeline) local(at time.Time) string {
	return at.In(t.zone()).Format("2006-01-02T15:04:05.999Z07:00")
}
