package api

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gateway"
)

type modelInfo struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func infoOf(m *gateway.Model) modelInfo {
	return modelInfo{ID: m.Provider + "/" + m.Name, Object: "model", Created: modelsCreated, OwnedBy: m.Provider}
}

// modelsCreated is the same for all: providers' own dates are not known here, and
// clients only want a number.
const modelsCreated = 1_763_000_000

// messagesModel is a model in Anthropic's shape.
type messagesModel struct {
	Type    string `json:"type"`
	ID      string `json:"id"`
	Name    string `json:"display_name"`
	Created string `json:"created_at"`
}

func messagesModelOf(id, name string) messagesModel {
	return messagesModel{"model", id, name, time.Unix(modelsCreated, 0).UTC().Format(time.RFC3339)}
}

// forMessages says whether a client of Anthropic's asks: it says which version it wants.
func forMessages(c *gin.Context) bool { return c.GetHeader("anthropic-version") != "" }

// mayUse says whether the client's key may use a model.
func mayUse(c *gin.Context, m *gateway.Model) bool {
	who := event(c).caller
	if who == nil {
		return true
	}
	for _, list := range who.allowed() {
		if !gateway.Allows(list, m.Name, m) {
			return false
		}
	}
	return true
}

// models is GET /v1/models, in the shape of the client's vendor. What the client's key
// may not use is left out.
func (s *Server) models(c *gin.Context) {
	if forMessages(c) {
		s.messagesModels(c)
		return
	}
	list := struct {
		Object string      `json:"object"`
		Data   []modelInfo `json:"data"`
	}{Object: "list", Data: []modelInfo{{ID: "auto", Object: "model", Created: modelsCreated, OwnedBy: "llm-gateway"}}}
	for _, m := range s.catalog.Models() {
		if mayUse(c, m) {
			list.Data = append(list.Data, infoOf(m))
		}
	}
	s.writeJSON(c, list)
}

// messagesModels gives the models page by page, as ?limit, ?after_id and ?before_id say.
func (s *Server) messagesModels(c *gin.Context) {
	all := []messagesModel{messagesModelOf("auto", "auto")}
	for _, m := range s.catalog.Models() {
		if m.Can.Chat && mayUse(c, m) {
			all = append(all, messagesModelOf(m.Provider+"/"+m.Name, m.Name))
		}
	}
	limit := 1000
	if text := c.Query("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			s.fail(c, field("limit", "limit: must be between 1 and 1000"))
			return
		}
		limit = n
	}
	at := func(id string) int {
		return slices.IndexFunc(all, func(m messagesModel) bool { return m.ID == id })
	}
	page := all
	if i := at(c.Query("after_id")); i >= 0 {
		page = all[i+1:]
	}
	more := len(page) > limit
	if i := at(c.Query("before_id")); i >= 0 {
		page = all[max(0, i-limit):i]
		more = i > limit
	} else if more {
		page = page[:limit]
	}
	list := struct {
		Data  []messagesModel `json:"data"`
		More  bool            `json:"has_more"`
		First *string         `json:"first_id"`
		Last  *string         `json:"last_id"`
	}{Data: page, More: more}
	if len(page) > 0 {
		list.First, list.Last = &page[0].ID, &page[len(page)-1].ID
	}
	s.writeJSON(c, list)
}

// model is GET /v1/models/{id}; ids hold slashes.
func (s *Server) model(c *gin.Context) {
	id := strings.TrimPrefix(c.Param("id"), "/")
	for _, m := range s.catalog.Models() {
		if id != m.Provider+"/"+m.Name && id != m.Name || !mayUse(c, m) {
			continue
		}
		if forMessages(c) {
			s.writeJSON(c, messagesModelOf(m.Provider+"/"+m.Name, m.Name))
		} else {
			s.writeJSON(c, infoOf(m))
		}
		return
	}
	s.fail(c, gateway.Errorf(gateway.UnknownModel, "There is no model of this name."))
}
