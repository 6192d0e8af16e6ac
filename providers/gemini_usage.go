package providers

import (
	"slices"

	"github.com/tidwall/gjson"

	"gateway"
)

// geminiCounts are the numbers of usageMetadata, each at its name's index. They are
// cumulative, and a missing one is 0.
type geminiCounts [len(geminiCountNames)]int

var geminiCountNames = [...]string{"promptTokenCount", "toolUsePromptTokenCount", "cachedContentTokenCount", "thoughtsTokenCount", "candidatesTokenCount", "totalTokenCount"}

// usage: thoughts are billed as output, and what was cached is part of the prompt.
func (n geminiCounts) usage() gateway.Usage {
	prompt, tools, cached, thoughts, candidates := n[0], n[1], n[2], n[3], n[4]
	return gateway.Usage{Fresh: max(0, prompt+tools-cached), CachedRead: cached, Output: candidates + thoughts, Reasoning: thoughts, Reported: true}
}

// count reads usageMetadata, and notes where its numbers stand in the event.
func (a *geminiAlike) count(u gjson.Result) (n geminiCounts) {
	u.ForEach(func(key, value gjson.Result) bool {
		if i := slices.Index(geminiCountNames[:], key.Str); i >= 0 && a.found[i] == "" {
			a.found[i], n[i] = value.Raw, int(value.Int())
		}
		return true
	})
	return n
}

// reports puts what the event told of usage on its chunk.
func (s *geminiStream) reports(c *gateway.Chunk, n geminiCounts) {
	s.usage = n.usage()
	u := s.usage
	c.Usage = &u
}
