package providers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"gateway"
)

// withFile is a call that asks about one part.
func withFile(part gateway.Part) *gateway.Call {
	return &gateway.Call{Model: &gateway.Model{Provider: "p", Name: "m"}, Request: &gateway.Request{Raw: []byte("{}"), Decode: func([]byte) (*gateway.Chat, error) {
		return &gateway.Chat{Messages: []gateway.Message{{Speaker: gateway.User, Parts: []gateway.Part{part}}}}, nil
	}}}
}

// sentFor is the body that a kind of provider gets for a call.
func sentFor(t *testing.T, kind string, call *gateway.Call) (string, error) {
	t.Helper()
	server, asked := nativeServer(t, says(http.StatusBadRequest, "application/json", "{}"))
	adapter, err := kinds[kind].adapter(Settings{Name: "p", Kind: kind, BaseURL: server.URL, Client: server.Client(), State: NewState(1, time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = adapter.Open(t.Context(), call)
	if len(*asked) == 0 {
		return "", err
	}
	_, body, _ := strings.Cut((*asked)[0], " ")
	return body, err
}

// OpenAI takes no file without a name, in either format, and Google's clients send none.
func TestFilesHaveNames(t *testing.T) {
	for mime, want := range map[string]string{"application/pdf": "document.pdf", "text/plain": "document.txt", "text/csv": "document.csv"} {
		for kind, at := range map[string]string{openAIKind: "messages.0.content.0.file.filename", responsesKind: "input.0.content.0.filename"} {
			body, _ := sentFor(t, kind, withFile(gateway.Part{Kind: gateway.FilePart, MIME: mime, Data: "JVBE"}))
			if got := gjson.Get(body, at).Str; got != want {
				t.Errorf("%s, %s: %q, want %q in %s", kind, mime, got, want, body)
			}
		}
	}
}

// Chat Completions has no files by URL: another kind of provider may take the request.
func TestFilesByURLAreNotSentEmpty(t *testing.T) {
	body, err := sentFor(t, openAIKind, withFile(gateway.Part{Kind: gateway.FilePart, MIME: "application/pdf", URL: "https://x/y.pdf"}))
	if gateway.KindOf(err) != gateway.Unsupported || body != "" {
		t.Errorf("%v, sent %s", err, body)
	}
	if body, _ = sentFor(t, responsesKind, withFile(gateway.Part{Kind: gateway.FilePart, URL: "https://x/y.pdf"})); !strings.Contains(body, `"file_url":"https://x/y.pdf"`) {
		t.Errorf("sent %s", body)
	}
}

// Google knows only the right name of the type that clients get wrong.
func TestGeminiGetsTheNameOfJPEG(t *testing.T) {
	body, _ := sentFor(t, geminiKind, withFile(gateway.Part{Kind: gateway.ImagePart, MIME: "image/jpg", Data: "QQ=="}))
	if !strings.Contains(body, `"mimeType":"image/jpeg"`) {
		t.Errorf("sent %s", body)
	}
}
