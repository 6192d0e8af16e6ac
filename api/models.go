package api

import (
	"strings"

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

// modelOf is the model with an id, which may hold a slash; nil if the client may use none of
// that name.
func (s *Server) modelOf(c *gin.Context, id string) *gateway.Model {
	for _, m := range s.catalog.Models() {
		if (id == m.Provider+"/"+m.Name || id == m.Name) && mayUse(c, m) {
			return m
		}
	}
	return nil
}

func (s *Server) noModel(c *gin.Context) {
	s.fail(c, gateway.Errorf(gateway.UnknownModel, "There is no model of this name."))
}

// models is GET /v1/models, in the shape of the format that claims the request. What the
// client's key may not use is left out.
func (s *Server) models(c *gin.Context) { s.showModels(c, "") }

// model is GET /v1/models/{id}.
func (s *Server) model(c *gin.Context) {
	id := strings.TrimPrefix(c.Param("id"), "/")
	if id == "" {
		s.noModel(c)
		return
	}
	s.showModels(c, id)
}

func (s *Server) showModels(c *gin.Context, id string) {
	show := dialectOf(c.Request).models
	if show == nil {
		show = (*Server).chatModels
	}
	show(s, c, id)
}

// chatModels lists the models in OpenAI's shape.
func (s *Server) chatModels(c *gin.Context, id string) {
	if id != "" {
		if m := s.modelOf(c, id); m != nil {
			s.writeJSON(c, infoOf(m))
		} else {
			s.noModel(c)
		}
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
