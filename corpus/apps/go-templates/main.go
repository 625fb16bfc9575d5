package main

import (
	"bytes"
	"html/template"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/yuin/goldmark"
)

var pages = template.Must(template.ParseGlob("templates/*.html"))

type recipe struct {
	Title string
	Text  template.HTML
}

func load(name string) (recipe, error) {
	source, err := os.ReadFile(filepath.Join("recipes", filepath.Base(name)+".md"))
	if err != nil {
		return recipe{}, err
	}
	var html bytes.Buffer
	if err := goldmark.Convert(source, &html); err != nil {
		return recipe{}, err
	}
	return recipe{Title: name, Text: template.HTML(html.String())}, nil
}

func main() {
	http.Handle("/static/", http.StripPrefix("/static/", http.FileServer(http.Dir("./static"))))
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("recipe")
		if name == "" {
			name = "bread"
		}
		found, err := load(name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		if err := pages.ExecuteTemplate(w, "recipe.html", found); err != nil {
			log.Print(err)
		}
	})

	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, os.Interrupt)
	go func() {
		log.Fatal(http.ListenAndServe(":8080", nil))
	}()
	<-terminated
}
