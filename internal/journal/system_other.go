//go:build !linux && !darwin

package journal

import "io/fs"

// supported reports whether files can be kept safe on this system.
const supported = false

const noFollow = 0

func lockFile(file) error { return errUnsupported }

func hasOtherNames(fs.FileInfo) bool { return false }

func keepOwner(file, fs.FileInfo) error { return errUnsupported }
