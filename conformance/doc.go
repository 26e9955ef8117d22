// Package conformance compares the evaluation of flags with that of
// LaunchDarkly's SDK for servers, on generated flags, segments and contexts. It
// is a module of its own, so that flagstage does not depend on the SDK.
package conformance
