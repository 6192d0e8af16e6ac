package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// agent is one of a swarm. One goroutine is it.
type agent struct {
	swarm  *swarm
	target *target
	random *rand.Rand
	system string
	result string // of every tool call
	calls  int    // made so far, for their ids
}

// said is a message of a conversation.
type said struct {
	Role      string     `json:"role"`
	Content   string     `json:"content"`
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
	CallID    string     `json:"tool_call_id,omitempty"`
}

type toolCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// offered are the tools of every agent.
const offered = `[{"type":"function","function":{"name":"read_file","description":"Read a file","parameters":` +
	`{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}}}]`

// converse holds one conversation and tells of each turn. It ends with the first turn
// that fails, as an agent's task would.
func (a *agent) converse(ctx context.Context, tell func(turn int, answer sample)) {
	history := []said{{Role: "system", Content: a.system}}
	for turn := range a.swarm.turns {
		if last := history[len(history)-1]; last.Role != "tool" { // the results of tools are what the model is asked about
			history = append(history, said{Role: "user", Content: fmt.Sprintf("Step %d of the task. ", turn+1) + prompt(200)})
		}
		answer, message := a.ask(ctx, history)
		tell(turn, answer)
		if answer.err != nil {
			sleepUntil(ctx, time.Now().Add(a.thinking()))
			return
		}
		if history = a.act(append(history, message)); turn < a.swarm.turns-1 && !sleepUntil(ctx, time.Now().Add(a.thinking())) {
			return
		}
	}
}

func (a *agent) thinking() time.Duration {
	return time.Duration(a.random.ExpFloat64() * float64(a.swarm.think))
}

// act runs the tools that the answer calls, or one of its own choice in the part of the
// turns that was asked for, so that histories look like agents' with any model.
func (a *agent) act(history []said) []said {
	last := &history[len(history)-1]
	if len(last.ToolCalls) == 0 && a.random.Float64() < a.swarm.tools {
		a.calls++
		call := toolCall{ID: fmt.Sprintf("call_%d", a.calls), Type: "function"}
		call.Function.Name, call.Function.Arguments = "read_file", `{"path":"main.go"}`
		last.ToolCalls = append(last.ToolCalls, call)
	}
	for _, call := range last.ToolCalls {
		history = append(history, said{Role: "tool", CallID: call.ID, Content: a.result})
	}
	return history
}

// ask sends the history and gives what was measured and what was answered.
func (a *agent) ask(ctx context.Context, history []said) (s sample, message said) {
	message.Role = "assistant"
	body, err := json.Marshal(struct {
		Model    string          `json:"model"`
		Messages []said          `json:"messages"`
		Tools    json.RawMessage `json:"tools"`
		Stream   bool            `json:"stream"`
	}{a.swarm.model, history, json.RawMessage(offered), true})
	if err != nil {
		return sample{err: err}, message
	}
	ctx, cancel := context.WithTimeout(ctx, a.swarm.timeout)
	defer cancel()
	due := time.Now()
	res, err := a.target.post(ctx, body)
	if err != nil {
		return sample{err: err}, message
	}
	defer res.Body.Close()
	var last time.Duration
	s.err = events(res.Body, func(data []byte) error {
		s.bytes += int64(len(data))
		if !hasContent(data) {
			return nil
		}
		now := time.Since(due)
		if s.first == 0 {
			s.first = now
		} else {
			s.gaps = append(s.gaps, now-last)
		}
		last = now
		return message.hear(data)
	})
	s.whole = time.Since(due)
	return s, message
}

// hear adds what an event says to the message.
func (m *said) hear(data []byte) error {
	var event struct {
		Choices []struct {
			Delta struct {
				Content   string `json:"content"`
				ToolCalls []struct {
					Index int `json:"index"`
					toolCall
				} `json:"tool_calls"`
			} `json:"delta"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(data, &event); err != nil {
		return fmt.Errorf("reading an event: %w", err)
	}
	if len(event.Choices) == 0 {
		return nil
	}
	delta := event.Choices[0].Delta
	m.Content += delta.Content
	for _, part := range delta.ToolCalls {
		if part.Index < 0 || part.Index > 127 {
			return fmt.Errorf("a tool call has the index %d", part.Index)
		}
		for len(m.ToolCalls) <= part.Index {
			m.ToolCalls = append(m.ToolCalls, toolCall{Type: "function"})
		}
		call := &m.ToolCalls[part.Index]
		if part.ID != "" {
			call.ID = part.ID
		}
		call.Function.Name += part.Function.Name
		call.Function.Arguments += part.Function.Arguments
	}
	return nil
}
