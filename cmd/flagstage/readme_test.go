package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what the commands print into the README")

const readmeFile = "../../README.md"

// TestReadmeShowsWhatTheCommandPrints runs the commands of the README, one after
// the other in one directory, and compares what they print.
func TestReadmeShowsWhatTheCommandPrints(t *testing.T) {
	readme, err := filepath.Abs(readmeFile)
	require.NoError(t, err)
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(filepath.Dir(readme), "testdata"), filepath.Join(dir, "testdata")))
	t.Chdir(dir)

	before, rest, found := strings.Cut(string(text), "```console\n")
	printed, shown := before, 0
	for found {
		var block string
		block, rest, _ = strings.Cut(rest, "```\n")
		printed += "```console\n"
		for _, step := range strings.Split("\n"+strings.TrimSuffix(block, "\n"), "\n$ ")[1:] {
			command, want := cutCommand(step)
			got := shell(t, command)
			if !*update {
				require.Equal(t, want, got, command)
			}
			printed += "$ " + command + "\n" + got
			shown++
		}
		before, rest, found = strings.Cut(rest, "```console\n")
		printed += "```\n" + before
	}
	require.GreaterOrEqual(t, shown, 20)
	if *update {
		require.NoError(t, os.WriteFile(readme, []byte(printed), 0o644))
	}
}

// cutCommand cuts a command, which may have several lines, off what it prints.
func cutCommand(step string) (command, output string) {
	lines := strings.Split(step, "\n")
	n := 1
	for strings.HasSuffix(lines[n-1], "\\") {
		n++
	}
	if n < len(lines) {
		output = strings.Join(lines[n:], "\n") + "\n"
	}
	return strings.Join(lines[:n], "\n"), output
}

// shell runs a command of the README, and returns what a user sees of it.
func shell(t *testing.T, command string) string {
	if command == "go install ./cmd/flagstage" {
		return ""
	}
	before, arguments, ok := strings.Cut(strings.ReplaceAll(command, "\\\n", " "), "flagstage ")
	require.True(t, ok, command)
	stdin, piped := strings.CutPrefix(before, "echo '")
	if piped {
		stdin, before, ok = strings.Cut(stdin, "' | ")
		require.True(t, ok, command)
	}
	arguments, hidden := strings.CutSuffix(arguments, " > /dev/null")
	r := run(stdin, shellWords(arguments)...)
	if hidden {
		r.stdout = ""
	}
	if before == "go run ./cmd/" {
		return r.printed()
	}
	require.Empty(t, before, command)
	return r.stdout + r.stderr
}

var shellWord = regexp.MustCompile(`"[^"]*"|'[^']*'|[^\s"']+`)

// shellWords splits arguments, some of which are quoted as a whole.
func shellWords(line string) []string {
	words := shellWord.FindAllString(line, -1)
	for i, word := range words {
		if strings.ContainsAny(word[:1], `"'`) {
			words[i] = word[1 : len(word)-1]
		}
	}
	return words
}

// TestTheDocumentationNamesEveryCommand looks for the commands in the lists of
// them.
func TestTheDocumentationNamesEveryCommand(t *testing.T) {
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	doc, _, _ := strings.Cut(string(source), "package main")
	var names, listed []string
	for _, c := range commands {
		names = append(names, c.name)
	}
	plain := regexp.MustCompile(`^[a-z|]+$`)
	for line := range strings.Lines(doc) {
		rest, ok := strings.CutPrefix(line, "//\tflagstage ")
		if !ok {
			continue
		}
		group := ""
		words := strings.Fields(rest)
		if plain.MatchString(words[1]) {
			group, words = words[0]+" ", words[1:]
		}
		for name := range strings.SplitSeq(words[0], "|") {
			listed = append(listed, group+name)
		}
	}
	require.Equal(t, names, listed, "the list in the comment of the package")

	readme, err := os.ReadFile(readmeFile)
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(readme), "\n## The command\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n```console\n")
	words := strings.FieldsFunc(section, func(r rune) bool { return r < 'a' || r > 'z' })
	for _, name := range names {
		for _, word := range strings.Fields(name) {
			require.Contains(t, words, word, name)
		}
	}
}
