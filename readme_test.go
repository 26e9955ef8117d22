package flagstage_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadmeProgramsRunOutsideOfTheModule builds the README's programs in a
// module of their own, as a user would, and compares what they print.
func TestReadmeProgramsRunOutsideOfTheModule(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	readme := string(text)
	blocks := strings.Split(readme, "```go\npackage main\n")[1:]
	require.Len(t, blocks, 3, "the programs of the README")
	for _, block := range blocks {
		program, rest, _ := strings.Cut(block, "```")
		program = "package main\n" + program
		before, want, ok := strings.Cut(rest, "```text\n")
		require.True(t, ok && strings.TrimSpace(before) == "", "what a program prints stands below it")
		want, _, _ = strings.Cut(want, "```")
		out := goOutside(t, map[string]string{"main.go": program}, "run", "-mod=mod", ".")
		if *update {
			readme = strings.Replace(readme, program+"```"+before+"```text\n"+want, program+"```"+before+"```text\n"+out, 1)
			continue
		}
		require.Equal(t, want, out)
	}
	if *update {
		require.NoError(t, os.WriteFile("README.md", []byte(readme), 0o644))
	}
}

// TestReadmeTestPassesOutsideOfTheModule runs the README's test of a template in a
// module of its own, with a template of this project.
func TestReadmeTestPassesOutsideOfTheModule(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	blocks := strings.Split(string(readme), "```go\npackage rollout_test\n")
	require.Len(t, blocks, 2)
	test, _, _ := strings.Cut(blocks[1], "```")
	template, err := os.ReadFile("testdata/careful-rollout.json")
	require.NoError(t, err)
	out := goOutside(t, map[string]string{
		"rollout_test.go": "package rollout_test\n" + test, "rollout.json": string(template),
	}, "test", "-mod=mod", "-v", ".")
	require.Contains(t, out, "--- PASS: TestRollout ")
}

// goOutside calls the go command in a module of its own, which has the given files
// and requires this module and what it requires, and returns what is printed.
func goOutside(t *testing.T, files map[string]string, arguments ...string) string {
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
	for name, content := range files {
		write(name, content)
	}
	write("go.sum", string(sums))
	write("go.mod", strings.Replace(string(requirements), "module "+module, "module example.com/user", 1)+
		"\nrequire "+module+" v0.0.0\n\nreplace "+module+" => "+root+"\n")

	command := exec.Command("go", arguments...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOWORK=off")
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}
