package api

import (
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
)

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

// messagesModels gives the models page by page, as ?limit, ?after_id and ?before_id say.
func (s *Server) messagesModels(c *gin.Context, id string) {
	if id != "" {
		if m := s.modelOf(c, id); m != nil {
			s.writeJSON(c, messagesModelOf(m.Provider+"/"+m.Name, m.Name))
		} else {
			s.noModel(c)
		}
		return
	}
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
