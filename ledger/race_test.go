//go:build race

package ledger

// raceDetector says that the tests run twenty times as long as otherwise.
const raceDetector = true
