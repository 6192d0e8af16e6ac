package gateway

// Usage counts the tokens of one attempt. The five billed counts do not overlap:
// a prompt token is in exactly one of Fresh, CachedRead and the two CacheWrites.
type Usage struct {
	Fresh        int // prompt tokens billed at the input price
	CachedRead   int // prompt tokens read from the provider's cache
	CacheWrite5m int // prompt tokens written to a cache that lives 5 minutes
	CacheWrite1h int // prompt tokens written to a cache that lives 1 hour
	Output       int // everything the model generated, reasoning included
	Reasoning    int // the part of Output spent on reasoning; for display only

	// Reported is false when the provider sent no usage block; the counts are then
	// zero, or an estimate of ours, and the ledger marks the row as estimated.
	Reported bool

	// PromptUnknown is true when a report left the prompt's size out (Ollama does for a
	// prompt that it had cached); Fresh is then 0 until it is estimated.
	PromptUnknown bool

	// Billed is what the provider itself says it charged (OpenRouter does); it
	// replaces the tariff when HasBilled is true, also when it is zero.
	Billed    Microcents
	HasBilled bool
}

// Prompt is the size of the whole prompt in tokens, cached or not: OpenAI's prompt_tokens.
func (u Usage) Prompt() int {
	return u.Fresh + u.CachedRead + u.CacheWrite5m + u.CacheWrite1h
}

// Total is OpenAI's total_tokens.
func (u Usage) Total() int { return u.Prompt() + u.Output }

// Unshown is how many tokens of any answer may be no text: the frames of turns and calls.
const Unshown = 32

// Silence says whether the provider counts an answer of which nothing is shown: tokens,
// and no more beside the reasoning than a model takes to end its turn. A server that lost
// an answer counts none, or, when it could not read what its model wrote, all of it.
func (u Usage) Silence() bool {
	return u.Reported && u.Output > 0 && u.Output-u.Reasoning <= Unshown
}
