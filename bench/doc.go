// Package bench compares flagstage with public software that does the same.
// It is a module of its own, so that flagstage does not depend on any of it.
package bench
