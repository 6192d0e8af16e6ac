// Package actors carries out what route decides: a router actor that keeps one Walk
// per request in flight and supervises one actor per provider, and a ledger actor
// that books every attempt. It is the only room that knows Proto.Actor, and uses
// Spawn, Send, Poison and supervision of it, with a mailbox of its own.
//
// No actor waits inside Receive, which whoever sends may run: a provider actor admits an
// attempt, and the goroutine of its request or a worker makes the call, which ends with
// the attempt's context. Nobody sends who holds a lock that an actor takes. Stream bytes
// never pass through a mailbox; the handler pulls the winner's stream itself. A panic in
// Receive loses at most the request whose event it was, a panic in an attempt becomes its
// failure.
package actors
