package calendar_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/flagstage/flagstage/calendar"
)

func TestZone(t *testing.T) {
	names := append([]string{"Etc/UTC", "GMT0", "Etc/GMT+0", "America/North_Dakota/New_Salem", "GB-Eire", "W-SU"}, zoneNames...)
	for _, name := range names {
		found, err := calendar.Zone(name)
		require.NoError(t, err)
		require.Equal(t, name, found.String())
	}
}

func TestZoneRefuses(t *testing.T) {
	const (
		empty   = "the name is empty"
		long    = "longer than 256 bytes"
		machine = "depends on the machine"
		factory = "no zone is configured"
		variant = "not every machine has it"
		form    = "not a zone name"
		unknown = "not in the zone database"
	)
	for name, reason := range map[string]string{
		"":                              empty,
		"Local":                         machine,
		"LOCAL":                         machine,
		"localtime":                     machine,
		"Localtime":                     machine,
		"posixrules":                    machine,
		"Factory":                       factory,
		"FACTORY":                       factory,
		"posix/Europe/Berlin":           variant,
		"right/Europe/Berlin":           variant,
		"Right/Europe/Berlin":           variant,
		"right":                         variant,
		"Europe/Atlantis":               unknown,
		"Europe":                        unknown,
		"Berlin":                        unknown,
		"CEST":                          unknown,
		"Utc":                           unknown,
		"utc":                           form,
		"europe/berlin":                 form,
		"Europe/berlin":                 form,
		"zone.tab":                      form,
		"Zone.tab":                      form,
		"+02:00":                        form,
		"GMT 0":                         form,
		" UTC":                          form,
		"UTC\n":                         form,
		"UTC\x00":                       form,
		"Europe/Berlin\x00.txt":         form,
		"..":                            form,
		"../../etc/passwd":              form,
		"Europe/../Europe/Berlin":       form,
		"Europe/./Berlin":               form,
		"/usr/share/zoneinfo/UTC":       form,
		"/Europe/Berlin":                form,
		"Europe/Berlin/":                form,
		"Europe//Berlin":                form,
		`Europe\Berlin`:                 form,
		`\\host\share`:                  form,
		"C:/Windows":                    form,
		"Europe/Zürich":                 form,
		"Europe/\xff":                   form,
		strings.Repeat("A", 256):        unknown,
		strings.Repeat("A", 257):        long,
		strings.Repeat("\xff", 100_000): long,
	} {
		t.Run(name[:min(len(name), 30)], func(t *testing.T) {
			found, err := calendar.Zone(name)
			require.Nil(t, found)
			require.ErrorIs(t, err, calendar.ErrZone)
			var refused *calendar.ZoneError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, name, refused.Name)
			require.Contains(t, refused.Reason, reason)
			require.Contains(t, refused.Reason, ": ", "nothing is said about what to do")
			require.Less(t, len(err.Error()), 4*256+200)
		})
	}
}

func TestZoneErrorText(t *testing.T) {
	_, err := calendar.Zone("\x1b[2J")
	require.EqualError(t, err, `look up zone "\x1b[2J": not a zone name: use parts of letters, digits, '_', '+' and '-' `+
		`that begin with a capital letter, joined by '/', such as Europe/Berlin`)
	_, err = calendar.Zone(strings.Repeat("A", 1000))
	require.EqualError(t, err, `look up zone "`+strings.Repeat("A", 256)+
		`"...: the name is longer than 256 bytes: use an IANA name such as Europe/Berlin`)
}
