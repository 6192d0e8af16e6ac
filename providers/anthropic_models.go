package providers

import (
	"regexp"
	"slices"
	"strings"
)

// claudeRules are how the models of one family differ. The table below is data: a new
// family is a line in it.
type claudeRules struct {
	prefix    string
	sampling  bool     // takes temperature, top_p, top_k
	force     bool     // takes tool_choice any and tool
	prefill   bool     // continues a last assistant turn
	schema    bool     // takes output_config.format
	thinking  string   // how thinking is asked for: see below
	off       string   // thinking.type that means least thinking; "" if there is nothing to switch off
	efforts   []string // words of output_config.effort, the least first; nil: it takes none
	maxOutput int
}

// The ways to ask a model to think.
const (
	thinksNever  = ""         // it cannot
	thinksBudget = "enabled"  // with budget_tokens
	thinksAsked  = "adaptive" // thinking.type adaptive
	thinksAlways = "always"   // by itself: an effort is enough
)

var (
	effortsFull  = []string{"low", "medium", "high", "xhigh", "max"}
	effortsNoX   = []string{"low", "medium", "high", "max"}
	effortsShort = []string{"low", "medium", "high"}
)

// claudeFamilies is read from the top: the first prefix of a model's name counts. The
// last line but one is for models that are newer than this table, the last for those of
// other makers behind the same API.
var claudeFamilies = []claudeRules{
	{prefix: "claude-3-7", sampling: true, force: true, prefill: true, thinking: thinksBudget, off: "disabled", maxOutput: 64_000},
	{prefix: "claude-3-5", sampling: true, force: true, prefill: true, maxOutput: 8192},
	{prefix: "claude-3", sampling: true, force: true, prefill: true, maxOutput: 4096},
	{prefix: "claude-opus-4-5", sampling: true, force: true, prefill: true, schema: true, thinking: thinksBudget, off: "disabled", efforts: effortsShort, maxOutput: 64_000},
	{prefix: "claude-sonnet-4-5", sampling: true, force: true, prefill: true, schema: true, thinking: thinksBudget, off: "disabled", maxOutput: 64_000},
	{prefix: "claude-haiku-4-5", sampling: true, force: true, prefill: true, schema: true, thinking: thinksBudget, off: "disabled", maxOutput: 64_000},
	{prefix: "claude-opus-4-1", sampling: true, force: true, prefill: true, schema: true, thinking: thinksBudget, off: "disabled", maxOutput: 32_000},
	{prefix: "claude-opus-4-6", sampling: true, force: true, schema: true, thinking: thinksAsked, off: "disabled", efforts: effortsNoX, maxOutput: 128_000},
	{prefix: "claude-sonnet-4-6", sampling: true, force: true, schema: true, thinking: thinksAsked, off: "disabled", efforts: effortsNoX, maxOutput: 128_000},
	{prefix: "claude-opus-4-7", force: true, schema: true, thinking: thinksAsked, off: "disabled", efforts: effortsFull, maxOutput: 128_000},
	{prefix: "claude-opus-4-8", force: true, schema: true, thinking: thinksAsked, off: "disabled", efforts: effortsFull, maxOutput: 128_000},
	{prefix: "claude-opus-4-0", sampling: true, force: true, prefill: true, thinking: thinksBudget, off: "disabled", maxOutput: 32_000},
	{prefix: "claude-opus-4", sampling: true, force: true, prefill: true, thinking: thinksBudget, off: "disabled", maxOutput: 32_000},
	{prefix: "claude-sonnet-4-0", sampling: true, force: true, prefill: true, thinking: thinksBudget, off: "disabled", maxOutput: 64_000},
	{prefix: "claude-sonnet-4", sampling: true, force: true, prefill: true, thinking: thinksBudget, off: "disabled", maxOutput: 64_000},
	{prefix: "claude-sonnet-5-5", schema: true, thinking: thinksAlways, off: "between_tools", efforts: effortsFull, maxOutput: 128_000},
	{prefix: "claude-opus-5-5", schema: true, thinking: thinksAlways, off: "between_tools", efforts: effortsFull, maxOutput: 128_000},
	{prefix: "claude-fable-5-1", schema: true, thinking: thinksAlways, off: "between_tools", efforts: effortsFull, maxOutput: 128_000},
	{prefix: "claude-fable-5-2", schema: true, thinking: thinksAlways, off: "between_tools", efforts: effortsFull, maxOutput: 128_000},
	{prefix: "claude-fable-5", force: true, schema: true, thinking: thinksAlways, off: "between_tools", efforts: effortsFull, maxOutput: 128_000},
	{prefix: "claude-haiku-5-5", force: true, schema: true, thinking: thinksAlways, off: "disabled", efforts: effortsFull, maxOutput: 128_000},
	{prefix: "claude-opus-5", force: true, schema: true, thinking: thinksAlways, off: "disabled", efforts: effortsFull, maxOutput: 128_000},
	{prefix: "claude-sonnet-5", force: true, schema: true, thinking: thinksAlways, off: "disabled", efforts: effortsFull, maxOutput: 128_000},
	{prefix: "claude", schema: true, thinking: thinksAlways, off: "between_tools", efforts: effortsFull, maxOutput: 128_000},
	{prefix: "", sampling: true, force: true, thinking: thinksBudget, off: "disabled", maxOutput: 32_000},
}

func claudeRulesOf(model string) *claudeRules {
	model = strings.ToLower(model)
	model = model[max(0, strings.Index(model, "claude")):] // resellers put their own words in front
	for i := range claudeFamilies {
		if f := &claudeFamilies[i]; f.fits(model) {
			return f
		}
	}
	return &claudeFamilies[len(claudeFamilies)-1]
}

// laterVersion is what follows the family in the name of another version of it; a date is none.
var laterVersion = regexp.MustCompile(`^(\d|-\d{1,2}($|\D))`)

// fits keeps claude-opus-4-12 from being taken for claude-opus-4-1 or claude-opus-4: a
// version that the table does not know is a new one.
func (r *claudeRules) fits(model string) bool {
	rest, found := strings.CutPrefix(model, r.prefix)
	return found && (!strings.Contains(r.prefix, "-") || !laterVersion.MatchString(rest))
}

// effort is the model's word for a reasoning effort; "" if it takes none.
func (r *claudeRules) effort(word string) string {
	if word == "minimal" {
		word = "low"
	}
	at := slices.Index(effortsFull, word)
	if at < 0 {
		return ""
	}
	for ; at >= 0; at-- { // a word that it lacks becomes the next lower one
		if slices.Contains(r.efforts, effortsFull[at]) {
			return effortsFull[at]
		}
	}
	return ""
}

// thinkingBudget is how many tokens an effort may think where a number must be told.
func thinkingBudget(effort string) int {
	switch effort {
	case "minimal":
		return minBudget
	case "low":
		return 2048
	case "medium":
		return 8192
	case "high":
		return 16_384
	case "xhigh", "max":
		return 32_768
	}
	return 0
}

const minBudget = 1024
