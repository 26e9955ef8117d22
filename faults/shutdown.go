package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// The call that shuts an ext4 or XFS file system down, and what it is given so
// that nothing more of its journal is written: from then on its disk is as a
// power cut would leave it.
const (
	goingDown  = 0x8004587d // _IOR('X', 125, __u32)
	noLogFlush = 2
)

// shutdown is the part that shuts a mounted file system down. It first adds
// "cut" to the log of the writers: a sync that is under way when ext4 is shut
// down can return without an error and without having written, which at a power
// cut nobody would live to see.
func shutdown(_ options, arguments []string, _ io.Reader, _ io.Writer) (err error) {
	f, err := os.Open(arguments[0])
	if err != nil {
		return err
	}
	defer f.Close()
	log, err := os.OpenFile(arguments[1], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if _, err := fmt.Fprintln(log, "cut"); err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(int(f.Fd()), goingDown, noLogFlush); err != nil {
		return fmt.Errorf("shut down the file system at %s: %w", arguments[0], err)
	}
	return nil
}
