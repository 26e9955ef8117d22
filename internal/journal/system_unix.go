//go:build linux || darwin

package journal

import (
	"errors"
	"io/fs"
	"syscall"
)

// supported reports whether files can be kept safe on this system.
const supported = true

const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// lockFile locks an open file until it is closed, against all other handles of
// it. It returns errBusy if there is another that holds the lock.
func lockFile(f file) error {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errBusy
		default:
			return err
		}
	}
}

// hasOtherNames reports whether a file has more than one name.
func hasOtherNames(info fs.FileInfo) bool { return info.Sys().(*syscall.Stat_t).Nlink > 1 }

// keepOwner gives a new file to the owner of the one that it replaces.
func keepOwner(f file, old fs.FileInfo) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	was, is := old.Sys().(*syscall.Stat_t), info.Sys().(*syscall.Stat_t)
	if was.Uid == is.Uid && was.Gid == is.Gid {
		return nil
	}
	return syscall.Fchown(int(f.Fd()), int(was.Uid), int(was.Gid))
}
