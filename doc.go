// Package gateway holds the words that every room of llm-gateway shares: what a
// client asked (Request, Chat), what a provider says (Chunk, Stream, Completion),
// what it costs (Usage, Tariff, Microcents), what one call to a provider came to
// (Entry), and why something failed (Error and its Kinds).
//
// It decides nothing and does no I/O. It imports the standard library only.
package gateway
