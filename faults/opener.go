package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// openers counts what becomes of a second opener while a store is open.
type openers struct {
	tried   int
	refused int // its open returned an error
	waited  int // its open returned when the first one closed the store
	both    int // both opened it, and wrote in turn
	reopened
}

// doer is a session here or in another process.
type doer interface {
	do(step string) (answer string, err error)
}

// openerCommits is how many transactions each opener commits.
const openerCommits = 10

// patience is how long the second opener may take to open before it is taken
// to wait. Whether it does is seen when the first one has closed.
const patience = 3 * time.Second

// openTwice lets two open a store at once, in this process or in another.
func (c *openers) openTwice(t target, dir string, process bool) (err error) {
	place := filepath.Join(dir, "opener")
	if err := os.Mkdir(place, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(place)
	path := filepath.Join(place, "store.db")
	first := &session{target: t, path: path}
	var second doer = &session{target: t, path: path}
	if process {
		r, err := newRemote(t, path)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.end()) }()
		second = r
	}
	list, err := c.meet(first, second)
	if err != nil {
		return err
	}
	return c.look(t, path, list)
}

// meet lets the second open what the first has open, lets each that may write
// do so in turn, and returns the numbers of the acknowledged transactions.
func (c *openers) meet(first, second doer) (acknowledged []int, err error) {
	c.tried++
	n := 0
	commit := func(d doer) {
		n++
		if _, err := d.do(fmt.Sprint("commit ", n)); err == nil {
			acknowledged = append(acknowledged, n)
		}
	}
	if _, err := first.do("open"); err != nil {
		return nil, err
	}
	commit(first)
	opened := make(chan error, 1)
	go func() {
		_, err := second.do("open")
		opened <- err
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	waits := false
	select {
	case err = <-opened:
	case <-timer.C:
		waits = true
	}
	both := !waits && err == nil
	for range openerCommits {
		commit(first)
		if both {
			commit(second)
		}
	}
	if _, err := first.do("close"); err != nil {
		return nil, err
	}
	if waits {
		err = <-opened
		for range openerCommits {
			commit(second)
		}
	}
	switch {
	case err != nil:
		c.refused++
		return acknowledged, nil
	case waits:
		c.waited++
	default:
		c.both++
	}
	_, err = second.do("close")
	return acknowledged, err
}
