package flagstage_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadmeProgramRunsOutsideOfTheModule builds the README's program in a
// module of its own, as a user would, and compares what it prints.
func TestReadmeProgramRunsOutsideOfTheModule(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	readme := string(text)
	_, program, ok := strings.Cut(readme, "```go\n")
	require.True(t, ok)
	program, rest, _ := strings.Cut(program, "```")
	_, want, _ := strings.Cut(rest, "```text\n")
	want, _, _ = strings.Cut(want, "```")

	root, err := filepath.Abs(".")
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	sums, err := os.ReadFile("go.sum")
	require.NoError(t, err)
	requirements, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	write("main.go", program)
	write("go.sum", string(sums))
	write("go.mod", strings.Replace(string(requirements), "module "+module, "module example.com/user", 1)+
		"\nrequire "+module+" v0.0.0\n\nreplace "+module+" => "+root+"\n")

	command := exec.Command("go", "run", "-mod=mod", ".")
	command.Dir = dir
	command.Env = append(os.Environ(), "GOWORK=off")
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	if *update {
		readme = strings.Replace(readme, "```text\n"+want+"```", "```text\n"+string(out)+"```", 1)
		require.NoError(t, os.WriteFile("README.md", []byte(readme), 0o644))
		return
	}
	require.Equal(t, want, string(out))
}
