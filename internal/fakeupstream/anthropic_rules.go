package fakeupstream

import (
	"slices"
	"strconv"
	"strings"
)

// claude is what the name of a model says about it.
type claude struct {
	family  string
	version float64 // 4.7 for claude-opus-4-7; 0 when the name is not of this form
}

func claudeOf(model string) claude {
	parts := strings.Split(strings.TrimPrefix(model, "claude-"), "-")
	if len(parts) < 2 {
		return claude{}
	}
	number := parts[1]
	if len(parts) > 2 && len(parts[2]) <= 2 { // longer ones are dates
		number += "." + parts[2]
	}
	version, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return claude{}
	}
	return claude{parts[0], version}
}

// samples says whether a model takes temperature, top_p and top_k.
func (c claude) samples() bool {
	first, known := map[string]float64{"opus": 4.7, "sonnet": 5, "haiku": 5.5, "fable": 0}[c.family]
	return !known || c.version < first
}

// hearsSystem says whether a model takes system turns in the midst of a conversation:
// newer ones do, and Claude Code 2.1.331 begins with one.
func (c claude) hearsSystem() bool { return c.version >= 5 }

// checkModel refuses what this model does not take.
func (req *messagesRequest) checkModel() *refusal {
	model := claudeOf(req.Model)
	if !model.samples() {
		for name, set := range map[string]bool{"temperature": req.Temp != nil, "top_p": req.TopP != nil, "top_k": req.TopK != nil} {
			if set {
				return invalid("`%s` is not supported on this model.", name)
			}
		}
	}
	if req.Temp != nil && (*req.Temp < 0 || *req.Temp > 1) {
		return invalid("temperature: range: 0..1")
	}
	if req.Temp != nil && req.TopP != nil {
		return invalid("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
	}
	forced := req.ToolChoice != nil && (req.ToolChoice.Type == "any" || req.ToolChoice.Type == "tool")
	auto := []string{"claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-1", "claude-fable-5-2"}
	if forced && slices.ContainsFunc(auto, func(name string) bool { return strings.HasPrefix(req.Model, name) }) {
		return invalid("tool_choice: %q is not supported on this model", req.ToolChoice.Type)
	}
	for _, stop := range req.Stops {
		if strings.TrimSpace(stop) == "" {
			return invalid("stop_sequences: each stop sequence must contain non-whitespace")
		}
	}
	if req.Output != nil && req.Output.Effort != "" && model.version > 0 && model.version < 4.6 && req.Model != "claude-opus-4-5" {
		return invalid("output_config.effort: this model does not support the effort parameter")
	}
	return req.checkThinking(model, forced)
}

func (req *messagesRequest) checkThinking(model claude, forced bool) *refusal {
	if req.Thinking == nil {
		return nil
	}
	switch req.Thinking.Type {
	case "disabled":
		always := []string{"claude-opus-5-5", "claude-fable-5", "claude-sonnet-5-5"}
		if slices.ContainsFunc(always, func(name string) bool { return strings.HasPrefix(req.Model, name) }) {
			return invalid("thinking: cannot be disabled on this model")
		}
	case "between_tools":
	case "adaptive":
		if model.version > 0 && model.version < 4.6 {
			return invalid("thinking.type: adaptive is not supported on this model")
		}
	case "enabled":
		if model.version >= 4.7 {
			return invalid("thinking.type: enabled is not supported on this model; use adaptive")
		}
		if req.Thinking.Budget < 1024 || req.Thinking.Budget >= value(req.MaxTokens) {
			return invalid("thinking.budget_tokens: must be at least 1024 and less than max_tokens")
		}
		if forced {
			return invalid("Thinking may not be enabled when tool_choice forces tool use.")
		}
		if req.Temp != nil && *req.Temp != 1 {
			return invalid("`temperature` may only be set to 1 when thinking is enabled.")
		}
	default:
		return invalid("thinking.type: unknown value %q", req.Thinking.Type)
	}
	return nil
}
