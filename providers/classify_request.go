package providers

import (
	"regexp"

	"gateway"
)

// kindOfRequest reads the texts that blame one request where the status and the code blame
// the key: taken at their word, one client's request would keep every client from the
// provider.
//
//   - xAI refuses content with 403 and "The caller does not have permission to execute the
//     specified operation", or "permission-denied", as its code. So it does for a key
//     without rights; only the text tells them apart. A wrong key is a 400.
//   - Gemini refuses a file that is not ready with 400 FAILED_PRECONDITION, and a file or
//     a cache that has expired, or is another project's, with 403 PERMISSION_DENIED.
func kindOfRequest(status int, text string) (gateway.Kind, bool) {
	if status == 401 || status == 429 || status >= 500 {
		return 0, false
	}
	switch {
	case refusedContent.MatchString(text) && !ofAccount.MatchString(text):
		return gateway.ContentFiltered, true
	case clientsFile.MatchString(text):
		return gateway.Invalid, true
	case wrongKey.MatchString(text):
		return gateway.ProviderAuth, true
	}
	return 0, false
}

// failedPrecondition: Gemini says so of a region or an account that may not use it. Of
// anything else another provider may think differently, and nobody is to be kept away.
func failedPrecondition(text string) gateway.Kind {
	if ofProject.MatchString(text) {
		return gateway.ProviderAuth
	}
	return gateway.Unsupported
}

var (
	refusedContent = regexp.MustCompile(`usage guidelines|safety_check|content[ _-](management )?polic|violat\w+ (of )?(our |the )?usage polic`)
	// ofAccount: it is not this content that is refused, but whoever asks.
	ofAccount   = regexp.MustCompile(`\baccount|organi[sz]ation|suspended|terminated|banned|disabled|deactivated`)
	clientsFile = regexp.MustCompile(`\bfile \S+ is not in an active state|permission to access the file\b|` +
		`cached ?content.{0,80}(not found|permission|not exist|expired)`)
	// wrongKey and ownCredit are how a text begins that is about the key or the account:
	// further on may stand what the client wrote, which providers quote.
	wrongKey  = regexp.MustCompile(`^(incorrect|invalid) api key|^api key (not valid|expired|not found)`)
	ownCredit = regexp.MustCompile(`^(you have (reached|exceeded|run out)|you've |you exceeded|insufficient |billing |(please )?enable billing|` +
		`(your|this) (current |prepaid )?(credit|balance|account|team|organi[sz]ation|project|plan|api))`)
	// ofProject is what a project or its key lacks, whatever the request.
	ofProject = regexp.MustCompile(`api.key|billing|location|region|country|free tier|has not been used|is disabled|project|account`)
)
