//go:build race

package main

// raceDetector says that the tests run ten times as long as otherwise.
const raceDetector = true
