package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// existsError means that an output is there already and --force was not given.
type existsError struct{ path string }

func (e *existsError) Error() string {
	return fmt.Sprintf("%s exists already: choose another name, or overwrite it with --force", e.path)
}

// createFile makes a file of mode 0600, since what is written may be private. An existing one is an *existsError, unless
// force replaces it.
func createFile(path string, force bool) (*os.File, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if errors.Is(err, fs.ErrExist) && !force {
		return nil, &existsError{path}
	}
	return f, err
}

// writeOutput lets write fill the file at path, or stdout when path is "" or "-".
func writeOutput(path string, force bool, stdout io.Writer, write func(io.Writer) error) error {
	if path == "" || path == "-" {
		return write(stdout)
	}
	f, err := createFile(path, force)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return fmt.Errorf("%s is not whole: %w", path, err)
	}
	return f.Close()
}
