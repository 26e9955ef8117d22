package flags

import (
	"strconv"

	"github.com/flagstage/flagstage/internal/strictjson"
)

// ReasonKind says which part of a flag decided what is served.
type ReasonKind string

// The kinds of reasons.
const (
	ReasonOff                ReasonKind = "OFF"                 // targeting is off
	ReasonFallthrough        ReasonKind = "FALLTHROUGH"         // the default rule
	ReasonTargetMatch        ReasonKind = "TARGET_MATCH"        // the context is a target
	ReasonRuleMatch          ReasonKind = "RULE_MATCH"          // a rule
	ReasonPrerequisiteFailed ReasonKind = "PREREQUISITE_FAILED" // another flag is off, or serves something else
	ReasonError              ReasonKind = "ERROR"               // nothing is served
)

// ErrorKind says why a flag could not be evaluated.
type ErrorKind string

// The kinds of errors.
const (
	// ErrorMalformedFlag says that the flag, one of its prerequisites or a
	// segment makes no sense.
	ErrorMalformedFlag ErrorKind = "MALFORMED_FLAG"
	// ErrorFlagNotFound says that there is no such flag in the environment.
	ErrorFlagNotFound ErrorKind = "FLAG_NOT_FOUND"
	// ErrorUserNotSpecified says that there is no context.
	ErrorUserNotSpecified ErrorKind = "USER_NOT_SPECIFIED"
)

// BigSegmentsStatus says what became of asking a store of unbounded segments.
type BigSegmentsStatus string

// BigSegmentsNotConfigured says that there is no such store. It is the only
// status that this package gives.
const BigSegmentsNotConfigured BigSegmentsStatus = "NOT_CONFIGURED"

// Reason says why a variation is served. Reasons can be compared by ==. The zero
// Reason is none.
type Reason struct {
	Kind ReasonKind
	// RuleIndex is the place of the rule in the flag's document, counted from 0,
	// and -1 if the reason is no rule. RuleID is the rule's id, which may be "".
	RuleIndex int
	RuleID    string
	// PrerequisiteKey is the key of the flag that failed as a prerequisite.
	PrerequisiteKey string
	ErrorKind       ErrorKind
	// InExperiment says that the context is a part of an experiment.
	InExperiment bool
	// BigSegments is not "" if an unbounded segment was asked for.
	BigSegments BigSegmentsStatus
	// Detail says to people what is malformed. It is not a part of the JSON.
	Detail string
}

// String says the reason in words: "rule 2 (beta-testers) matches". Texts of the
// flag's authors stand in it as they are, but cut; whoever prints it escapes it.
func (r Reason) String() string {
	s := ""
	switch r.Kind {
	case ReasonOff:
		s = "targeting is off"
	case ReasonFallthrough:
		s = "no target and no rule matches; the default rule serves"
	case ReasonTargetMatch:
		s = "the context is a target"
	case ReasonRuleMatch:
		s = "rule " + strconv.Itoa(r.RuleIndex+1)
		if r.RuleID != "" {
			s += " (" + string(sayID(nil, r.RuleID)) + ")"
		}
		s += " matches"
	case ReasonPrerequisiteFailed:
		s = "the prerequisite " + strictjson.Quote(r.PrerequisiteKey) + " is missing, is off, or serves another variation"
	case ReasonError:
		s = r.ErrorKind.words()
		if r.Detail != "" {
			s += ": " + r.Detail
		}
	default:
		s = "there is no reason"
	}
	if r.InExperiment {
		s += "; the context is in the experiment"
	}
	if r.BigSegments != "" {
		s += "; who is in unbounded segments is not known here"
	}
	return s
}

func (k ErrorKind) words() string {
	switch k {
	case ErrorMalformedFlag:
		return "the flag makes no sense"
	case ErrorFlagNotFound:
		return "there is no such flag in the environment"
	case ErrorUserNotSpecified:
		return "there is no context"
	default:
		return "the flag cannot be evaluated"
	}
}

// AppendJSON appends the reason in the form of the SDKs.
func (r Reason) AppendJSON(dst []byte) []byte {
	start := len(dst)
	dst = strictjson.AppendString(appendName(dst, "kind"), string(r.Kind))
	if r.Kind == ReasonRuleMatch {
		dst = strictjson.AppendInt(appendName(dst, "ruleIndex"), int64(r.RuleIndex))
		dst = appendText(dst, "ruleId", r.RuleID)
	}
	if r.InExperiment {
		dst = strictjson.AppendBool(appendName(dst, "inExperiment"), true)
	}
	dst = appendText(dst, "prerequisiteKey", r.PrerequisiteKey)
	dst = appendText(dst, "errorKind", string(r.ErrorKind))
	dst = appendText(dst, "bigSegmentsStatus", string(r.BigSegments))
	return closeObject(dst, start)
}

// MarshalJSON returns the same bytes as [Reason.AppendJSON].
func (r Reason) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }
