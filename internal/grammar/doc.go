// Package grammar checks the streams that clients are sent against what each format's
// specification says, event by event. Tests use it.
//
// It is written from the specifications and shares no code with what writes the
// streams, so that a misreading there is not repeated here. It judges bytes only: it
// knows no provider and no gateway.
package grammar
