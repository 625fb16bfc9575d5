package main

import (
	"fmt"
	"html/template"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	page := template.Must(template.ParseFiles("pages/hour.html"))
	zone := os.Getenv("SUNDIAL_ZONE")
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		place, err := time.LoadLocation(zone)
		if err != nil {
			http.Error(w, fmt.Sprintf("no such zone: %v", err), http.StatusInternalServerError)
			return
		}
		if err := page.Execute(w, time.Now().In(place).Hour()); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
