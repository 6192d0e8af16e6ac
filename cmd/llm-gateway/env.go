package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/joho/godotenv"
)

// environment answers for a variable and says whether it is set.
type environment func(name string) (value string, set bool)

// get is the variable's value, "" when it is not set.
func (e environment) get(name string) string {
	value, _ := e(name)
	return value
}

// or is the variable's value, or another when it is unset or empty.
func (e environment) or(name, otherwise string) string {
	if value := e.get(name); value != "" {
		return value
	}
	return otherwise
}

// only is an environment that holds these variables and nothing else.
func only(vars map[string]string) environment {
	return func(name string) (string, bool) {
		value, set := vars[name]
		return value, set
	}
}

// withDotenv lays the environment over a .env file, which may be missing. What is set,
// even to the empty string, is never overridden.
func withDotenv(lookup func(string) (string, bool), path string) (environment, error) {
	file, err := godotenv.Read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return func(name string) (string, bool) {
		if value, set := lookup(name); set {
			return value, true
		}
		value, set := file[name]
		return value, set
	}, nil
}
