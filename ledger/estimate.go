package ledger

// Estimates from sizes alone, for the way in. English and code come to about four
// bytes a token in the vocabularies of the large providers (wire reference section
// 2.1); a message adds about four tokens of framing. An image is counted as a
// mid-sized one.
const (
	bytesPerToken    = 4
	tokensPerMessage = 4
	tokensPerImage   = 800
)

// EstimatePrompt guesses the tokens of a prompt that has not been read.
func EstimatePrompt(bytes, messages, images int) int {
	return (bytes+bytesPerToken-1)/bytesPerToken + messages*tokensPerMessage + images*tokensPerImage
}
