package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"gateway"
)

// Counter is a Router that can say how long a prompt is without asking for an answer.
type Counter interface {
	// CountTokens gives the tokens of a prompt at the provider that would be asked first;
	// counted is false for an estimate. Its error is an *gateway.Error.
	CountTokens(ctx context.Context, req *gateway.Request) (tokens int, counted bool, err error)
}

// count says how long a prompt is, and in a header whether it was counted or estimated.
func (s *Server) count(c *gin.Context, req *gateway.Request) (int, error) {
	counter, ok := s.router.(Counter)
	if !ok {
		return 0, gateway.Errorf(gateway.Unsupported, "Tokens cannot be counted here.")
	}
	n, counted, err := counter.CountTokens(contextOf(c), req)
	if err != nil {
		return 0, err
	}
	how := "estimated"
	if counted {
		how = "counted"
	}
	c.Header("X-Gateway-Token-Count", how)
	return n, nil
}

// counting answers how long a prompt is: scan reads the body, and the number stands behind
// before.
func (s *Server) counting(scan func(r *http.Request, raw []byte, req *gateway.Request) *gateway.Error, before string) gin.HandlerFunc {
	return func(c *gin.Context) {
		req, err := s.request0(c)
		if err == nil {
			var raw []byte
			if raw, err = s.readBody(c); err == nil {
				err = scan(c.Request, raw, req)
			}
		}
		if err != nil {
			s.fail(c, err)
			return
		}
		event(c).model = req.Model
		n, failure := s.count(c, req)
		if failure != nil {
			s.fail(c, failure)
			return
		}
		c.Data(http.StatusOK, "application/json", append(appendInt(nil, before, n), '}'))
	}
}
