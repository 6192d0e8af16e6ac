package api

import (
	"context"

	"github.com/gin-gonic/gin"

	"gateway"
)

// Repeats keep a client from paying twice for a request that it sent twice.
type Repeats interface {
	// Enter refuses a request whose Idempotency-Key stands for one that runs or was
	// answered. leave must be called when the request has ended.
	Enter(ctx context.Context, key, name string, body []byte, request string) (leave func(), err error)
}

// enterOnce heeds the Idempotency-Key of a request that has a body of its own.
func (s *Server) enterOnce(c *gin.Context, req *gateway.Request) error {
	name := c.GetHeader("Idempotency-Key")
	if name == "" || s.cfg.Repeats == nil || req.Raw == nil {
		return nil
	}
	if len(name) > 255 {
		return badHeader("Idempotency-Key", "want at most 255 bytes")
	}
	// Of some routes the body that is sent on does not name the model, and the same body means
	// another thing on another route.
	body := append(append(append([]byte(c.Request.URL.Path), '\n'), req.Model...), '\n')
	leave, err := s.cfg.Repeats.Enter(contextOf(c), req.Key, name, append(body, req.Raw...), req.ID)
	if err == nil {
		event(c).ends = append(event(c).ends, leave)
	}
	return err
}
