package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain runs the parts that the tests start as processes of their own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && isCommand(os.Args[1]) {
		main()
	}
	os.Exit(m.Run())
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		name, arguments, complaint string
		status                     int
	}{
		{"unknown command", "lose", "faults compare: 1 arguments were given, not 0", exitUsage},
		{"unknown flag", "kill -harder", "-harder", exitUsage},
		{"flag of another command", "syscalls -rounds 1", "-rounds", exitUsage},
		{"no file system", "shutdown", "0 arguments were given, not 2", exitUsage},
		{"missing file system", "shutdown /no/such log", "/no/such", exitFailed},
		{"missing log of a power cut", "shutdown /proc /no/such", "/no/such", exitFailed},
		{"no file system to shut down", "shutdown /proc /dev/null", "shut down the file system at /proc", exitFailed},
		{"unknown store", "script -target paper", `there is no store "paper"`, exitFailed},
		{"missing log", "verify -log /no/such", "/no/such", exitFailed},
		{"missing directory", "kill -dir /no/such", "/no/such", exitFailed},
		{"no rounds", "kill -rounds 0", "0 processes cannot be killed", exitFailed},
		{"no processes", "releases -rounds 0", "0 processes cannot be killed", exitFailed},
		{"no store", "release -path /no/such", "/no/such", exitFailed},
		{"no writers", "writers -writers -1", "-1 writers cannot write", exitFailed},
		{"unknown durability", "writers -durability perhaps", `"perhaps"`, exitFailed},
		{"number", "examine one 2", `"one"`, exitFailed},
		{"help", "-help", "-quick", exitDone},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, complaints bytes.Buffer
			require.Equal(t, c.status, run(strings.Fields(c.arguments), strings.NewReader(""), &out, &complaints))
			require.Contains(t, complaints.String(), c.complaint)
			require.Empty(t, out.String())
		})
	}
}

func TestTable(t *testing.T) {
	table := table{head: []string{"store", "lost"}}
	table.add("flagstage", 0)
	table.add("é", 1234567)
	table.add("shares", share(1, 3))
	table.add("all", share(9, 9))
	table.add("few", share(1, 3000))
	var out bytes.Buffer
	require.NoError(t, table.print(&out, "Losses"))
	require.Equal(t, `
Losses

| store     |        lost |
|-----------|------------:|
| flagstage |           0 |
| é         |   1,234,567 |
| shares    |    1 (33 %) |
| all       |           9 |
| few       | 1 (0.033 %) |
`, out.String())
}
