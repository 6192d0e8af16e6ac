package providers

import (
	"slices"
	"strings"
)

// modelRules are what OpenAI's reasoning models refuse. The zero value refuses nothing.
type modelRules struct {
	reasoning bool
	verbosity bool // it can be told how much to say
	efforts   []string
	// toolsUnthinking: function tools are refused here while the model reasons.
	toolsUnthinking bool
}

var effortOrder = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

// rulesOf reads the rules from a model's name, as the API tells them nowhere.
func rulesOf(model string) modelRules {
	name := strings.TrimPrefix(model, "openai/")
	oSeries := len(name) > 1 && name[0] == 'o' && name[1] >= '1' && name[1] <= '9'
	version, isGPT := strings.CutPrefix(name, "gpt-")
	modern := isGPT && version != "" && version[0] >= '5' && version[0] <= '9'
	if !oSeries && !modern || strings.HasPrefix(name, "gpt-5-chat") {
		return modelRules{}
	}
	r := modelRules{reasoning: true, verbosity: modern}
	switch {
	case oSeries:
		r.efforts = []string{"low", "medium", "high"}
	case strings.HasPrefix(version, "5.1"):
		r.efforts = []string{"none", "low", "medium", "high"}
	case strings.HasPrefix(version, "5.6"):
		r.efforts = []string{"none", "low", "medium", "high", "xhigh", "max"}
		r.toolsUnthinking = true
	case strings.HasPrefix(version, "5."):
		r.efforts = []string{"none", "low", "medium", "high", "xhigh"}
	case strings.HasPrefix(version, "5"):
		r.efforts = []string{"minimal", "low", "medium", "high"}
	case strings.HasPrefix(version, "6-astra"), strings.HasPrefix(version, "6.1-sol"):
		r.efforts = []string{"low", "medium", "high", "xhigh", "max"}
	default:
		r.efforts = []string{"none", "low", "medium", "high", "xhigh", "max"}
	}
	return r
}

// drops says whether the model refuses a field, given the effort asked.
func (r modelRules) drops(field, effort string) bool {
	if !r.reasoning {
		return false
	}
	switch field {
	case "logit_bias", "presence_penalty", "frequency_penalty", "top_logprobs":
		return true
	case "temperature", "top_p", "logprobs":
		return effort != "none" || !slices.Contains(r.efforts, "none")
	}
	return false
}

// effort is the nearest effort that the model takes: upward from the lower end,
// downward from the upper.
func (r modelRules) effort(asked string) string {
	at := slices.Index(effortOrder, asked)
	if !r.reasoning || at < 0 || slices.Contains(r.efforts, asked) {
		return asked
	}
	step := -1
	if at < slices.Index(effortOrder, "medium") {
		step = 1
	}
	for i := at; i >= 0 && i < len(effortOrder); i += step {
		if slices.Contains(r.efforts, effortOrder[i]) {
			return effortOrder[i]
		}
	}
	return asked
}
