package flagstage_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/flagstage/flagstage"

// floors are the packages of this module: each may import only packages of
// lower floors.
var floors = map[string]int{
	"internal/strictjson": 0,
	"internal/escape":     0,
	"internal/journal":    0,
	"calendar":            1,
	"flags":               1,
	".":                   2,
	"timeline":            3,
	"storetest":           3,
	"simulate":            4,
	"flagstagetest":       5,
	"cmd/flagstage":       5,
}

// forTests are the packages for users' tests, which may link more.
var forTests = []string{"storetest", "flagstagetest"}

// pure are the packages that neither read a clock nor do I/O, but for the
// files named.
var pure = map[string][]string{
	"internal/strictjson": nil,
	"internal/escape":     nil,
	"calendar":            {"zone.go"},
	"flags":               nil,
	".": {
		"clock.go", "engine.go", "engine_applier.go", "engine_delete.go", "engine_delivery.go", "engine_events.go", "engine_flag.go", "engine_flag_unit.go", "engine_notify.go", "engine_parameter.go", "engine_plan.go", "engine_run.go", "engine_steer.go", "engine_template.go", "engine_tick.go", "engine_unit.go", "engine_workflow.go", "options.go", "store.go", "store_bunt.go", "store_care.go", "store_file.go",
	},
	"timeline": nil,
	"simulate": nil,
}

// impureImports reach the world, or wait for it.
var impureImports = []string{
	"context", "crypto/rand", "io/fs", "io/ioutil", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http",
	"os", "os/exec", "os/signal", "path/filepath", "reflect", "runtime", "sync", "sync/atomic", "syscall", "unsafe",
}

// impureCalls of package time read the clock or the disk, or wait.
var impureCalls = []string{
	"After", "AfterFunc", "LoadLocation", "Local", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until",
}

// source is a file of this module that is no test.
type source struct {
	dir, file string
	*ast.File
	fset *token.FileSet
}

func sources(t *testing.T) []source {
	var list []source
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, nested := os.Stat(filepath.Join(name, "go.mod"))
			if name != "." && (nested == nil || strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, 0)
		list = append(list, source{filepath.ToSlash(filepath.Dir(name)), filepath.Base(name), file, fset})
		return err
	})
	require.NoError(t, err)
	require.Greater(t, len(list), 20, "too few sources were found")
	return list
}

func (s source) imports() []string {
	var list []string
	for _, spec := range s.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		list = append(list, name)
	}
	return list
}

func TestPackagesImportOnlyFromLowerFloors(t *testing.T) {
	for _, s := range sources(t) {
		floor, known := floors[s.dir]
		require.True(t, known, "package %s stands on no floor", s.dir)
		for _, name := range s.imports() {
			if name != module && !strings.HasPrefix(name, module+"/") {
				continue
			}
			imported := path.Clean("." + strings.TrimPrefix(name, module))
			below, known := floors[imported]
			require.True(t, known, "%s/%s imports %s, which stands on no floor", s.dir, s.file, imported)
			require.Less(t, below, floor, "%s/%s imports %s", s.dir, s.file, imported)
		}
	}
}

func TestPureCoreReadsNoClockAndDoesNoIO(t *testing.T) {
	for _, s := range sources(t) {
		exempt, isPure := pure[s.dir]
		if !isPure || slices.Contains(exempt, s.file) {
			continue
		}
		for _, name := range s.imports() {
			require.NotContains(t, impureImports, name, "%s/%s", s.dir, s.file)
		}
		ast.Inspect(s.File, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine", s.fset.Position(n.Pos()))
			case *ast.SelectorExpr:
				if p, ok := n.X.(*ast.Ident); ok && p.Name == "time" && slices.Contains(impureCalls, n.Sel.Name) {
					t.Errorf("%s uses time.%s", s.fset.Position(n.Pos()), n.Sel.Name)
				}
			}
			return true
		})
	}
}

// TestLibraryLinksOnlyItsDependencies holds the modules that a program gets
// with this one.
func TestLibraryLinksOnlyItsDependencies(t *testing.T) {
	allowed := append([]string{module, "github.com/google/uuid"}, dependencies(t, "github.com/tidwall/buntdb")...)
	helpers := append(slices.Clone(allowed), "pgregory.net/rapid")
	helpers = append(helpers, dependencies(t, "github.com/stretchr/testify/require")...)
	for dir := range floors {
		want := allowed
		if slices.Contains(forTests, dir) {
			want = helpers
		}
		require.Subset(t, want, dependencies(t, "./"+dir), "linked by %s", dir)
	}
	require.Contains(t, dependencies(t, "."), "github.com/tidwall/buntdb", "go list finds nothing")
	require.Equal(t, []string{module}, dependencies(t, "./flags"), "flags can be had without a store")
}

// dependencies returns the modules of all packages that a package links.
func dependencies(t *testing.T, pkg string) []string {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", pkg).CombinedOutput()
	require.NoError(t, err, string(out))
	list := strings.Fields(string(out))
	slices.Sort(list)
	return slices.Compact(list)
}

func TestModuleRequiresNothingElse(t *testing.T) {
	allowed := []string{"github.com/google/uuid", "github.com/tidwall/buntdb", "github.com/stretchr/testify", "pgregory.net/rapid"}
	out, err := exec.Command("go", "list", "-m", "-f", "{{if not (or .Indirect .Main)}}{{.Path}}{{end}}", "all").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Subset(t, allowed, strings.Fields(string(out)))
}
