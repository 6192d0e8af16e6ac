package actors

import (
	"strconv"
	"time"

	"gateway"
)

// bound is the most that an attempt can be billed, in its parts.
type bound struct {
	prompt  int // tokens
	answer  int // tokens of one choice: providers take their limit for each of several
	choices int // that are asked for, and billed
	input   gateway.Picodollars
	output  gateway.Picodollars
}

// cost is of so many tokens in each choice.
func (b bound) cost(answer int) gateway.Microcents { return b.costOf(answer * b.choices) }

// costOf is of so many tokens in all choices together.
func (b bound) costOf(output int) gateway.Microcents {
	return gateway.RoundUp(int64(b.prompt)*int64(b.input) + int64(output)*int64(b.output))
}

// What adapters and providers may add to a prompt beside the client's own text: an
// instruction in place of a JSON mode that the model lacks, the provider's own words
// about tools (Anthropic lists up to 530 tokens), the framing of a message. Source for
// the 16 of a message: routing reference section 6.
const (
	perMessage   = 16
	perPrompt    = 256
	perTools     = 1024
	unknownLimit = 8192 // asked of a model whose longest answer is not known
	leastAnswer  = 256  // a shorter one is not worth having: see Key.Clamp
)

// boundOf computes the bound of a request on a model. Where there is none it says what is
// lacking, in words of lacks: without a price, with contents whose tokens nothing limits,
// and with what is charged beside the tokens.
func (s *System) boundOf(req *gateway.Request, m *gateway.Model, prefill string, now time.Time) (b bound, lacks string) {
	native := m.Protocol.Relays(req) // any other is sent what every format has
	switch {
	case m.Tariff == nil:
		return bound{}, noBound
	case req.Needs.Audio:
		return bound{}, unbounded + "audio may cost"
	case req.Needs.Files:
		return bound{}, unbounded + "files may cost"
	case native && req.Fees != "":
		return bound{}, unbounded + strconv.Quote(req.Fees) + " may cost"
	case native && req.Kept != "" && m.Context == 0:
		return bound{}, unbounded + strconv.Quote(req.Kept) + " may cost"
	}
	b = bound{prompt: promptMost(req, prefill), choices: 1}
	if req.Images > 0 {
		if m.Protocol.ImageTokens == 0 {
			return bound{}, unbounded + "images may cost"
		}
		b.prompt += req.Images * m.Protocol.ImageTokens
	}
	if req.Embed == nil {
		b.answer = answerMost(req, m)
		if req.Needs.Many {
			chat, err := req.Chat()
			if err != nil {
				return bound{}, noBound
			}
			b.choices = max(1, chat.N)
		}
	}
	if native && req.Kept != "" { // no prompt is longer
		b.prompt = max(b.prompt, m.Context)
	}
	b.input, b.output = dearest(m.Tariff, b.prompt, now)
	widened := s.habits.widened(m)
	b.input, b.output = b.input*widened/1000, b.output*widened/1000
	return b, ""
}

// promptMost: a token is at least one byte of text, so no prompt has more tokens than
// its body has bytes. Images are bytes of the body too, and counted apart.
func promptMost(req *gateway.Request, prefill string) int {
	n := len(req.Raw) - req.MediaBytes
	if req.Raw == nil {
		n = req.PromptBytes
	}
	n = max(n, req.PromptBytes) + len(prefill) + perPrompt + perMessage*req.Messages
	if req.Needs.Tools {
		n += perTools
	}
	if req.Needs.JSONMode || req.Needs.JSONSchema {
		n += perPrompt
	}
	return n
}

// answerMost is sent upstream as the limit of the answer.
func answerMost(req *gateway.Request, m *gateway.Model) int {
	most := m.MaxOutput
	if most == 0 {
		most = unknownLimit
	}
	if req.MaxTokens > 0 {
		most = min(most, req.MaxTokens)
	}
	return most
}

// dearest are the highest rates that a prompt of up to so many tokens can get, whatever
// its length turns out to be, whether the provider writes it to a cache, and if the hour
// changes while the attempt waits for its turn.
func dearest(t *gateway.Tariff, prompt int, now time.Time) (input, output gateway.Picodollars) {
	look := func(tokens int) {
		for _, at := range [...]time.Time{now, now.Add(time.Minute)} {
			r := t.At(tokens, at)
			input = max(input, r.Input, r.CachedRead, r.CacheWrite5m, r.CacheWrite1h)
			output = max(output, r.Output)
		}
	}
	look(0)
	for _, tier := range t.Tiers {
		if prompt > tier.PromptAbove {
			look(tier.PromptAbove + 1)
		}
	}
	return input, output
}

// unsure is how much more than what was booked an attempt without an exact bill may
// have cost. Providers that stop when they are cut bill what they had made, which is at
// most what reached us, a token for each byte, and a little that was under way; but not
// where a model thinks without showing it.
func (a *attempt) unsure(t *tally, e *gateway.Entry) gateway.Microcents {
	if a.hold.Amount == 0 || e.Source != gateway.UsageEstimated {
		return 0
	}
	if e.Usage.Reported { // what was made is known; only the price of the tier is not
		return max(0, min(a.dearer(t)*e.Cost, a.hold.Amount-e.Cost))
	}
	b := a.bound
	if n := t.usage.Prompt(); n > 0 { // told before the answer began
		b.prompt = n
	}
	output := b.answer * b.choices
	if a.model.Bills == gateway.BillsSeen && !a.plain() && !a.thinksUnseen() && a.sys.habits.plain(a.model) {
		output = min(output, t.bytes+underWay*b.choices)
	}
	return max(0, min(b.costOf(output), a.hold.Amount)-e.Cost)
}

// underWay is what a provider may have made of an answer before it noticed that nobody
// listens: more than a second of the fastest models.
const underWay = 256
