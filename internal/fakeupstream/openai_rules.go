package fakeupstream

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	oSeries  = regexp.MustCompile(`^o[1-9]`)
)

// reasons says whether a model of OpenAI thinks before it answers.
func reasons(model string) bool {
	if rest, is := strings.CutPrefix(model, "gpt-"); is {
		number, _, _ := strings.Cut(rest, "-")
		version, err := strconv.ParseFloat(number, 64)
		return err == nil && version >= 5 && !strings.HasPrefix(rest, "5-chat")
	}
	return oSeries.MatchString(model)
}

// mayNotReason says whether effort none is allowed.
func mayNotReason(model string) bool {
	never := []string{"gpt-6-astra", "gpt-6.1-sol", "gpt-5-", "o"}
	return model != "gpt-5" && !slices.ContainsFunc(never, func(prefix string) bool { return strings.HasPrefix(model, prefix) })
}

// checkIDs refuses ids of calls that are too long for OpenAI, though not for who is like it.
func (req *chatRequest) checkIDs() *refusal {
	const most = 40
	for i, m := range req.Messages {
		ids := []string{m.ToolCallID}
		for _, c := range m.ToolCalls {
			ids = append(ids, c.ID)
		}
		for _, id := range ids {
			if len(id) > most {
				return invalid("Invalid id of a call in 'messages[%d]': string too long. Expected a string with maximum length %d, but got a string with length %d instead.", i, most, len(id))
			}
		}
	}
	return nil
}

// checkModel refuses what reasoning models do not take.
func (req *chatRequest) checkModel() *refusal {
	if !reasons(req.Model) {
		return nil
	}
	unsupported := func(param, why string) *refusal {
		return &refusal{status: http.StatusBadRequest, code: "unsupported_parameter", param: param,
			message: "Unsupported parameter: '" + param + "' is not supported with this model." + why}
	}
	if req.MaxTokens != nil {
		return unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
	}
	if req.Effort == "none" && !mayNotReason(req.Model) {
		return &refusal{status: http.StatusBadRequest, code: "unsupported_value", param: "reasoning_effort",
			message: "Unsupported value: 'none' is not supported with this model."}
	}
	if len(req.LogitBias) > 0 {
		return unsupported("logit_bias", "")
	}
	if strings.HasPrefix(req.Model, "o") && len(req.Stop) > 0 {
		return unsupported("stop", "")
	}
	for param, value := range map[string]*float64{"frequency_penalty": req.FrequencyPenalty, "presence_penalty": req.PresencePenalty} {
		if value != nil && *value != 0 {
			return unsupported(param, "")
		}
	}
	if req.Effort == "none" {
		return nil
	}
	for param, value := range map[string]*float64{"temperature": req.Temperature, "top_p": req.TopP} {
		if value != nil && *value != 1 {
			return &refusal{status: http.StatusBadRequest, code: "unsupported_value", param: param,
				message: "Unsupported value: '" + param + "' does not support this value with this model. Only the default (1) value is supported."}
		}
	}
	return nil
}
