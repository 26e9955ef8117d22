package flags

// Most returns how many bytes a flag has at most when written, as far as it
// knows.
func Most(f Flag) int { return f.body.most }
