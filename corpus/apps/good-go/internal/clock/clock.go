// Package clock tells the time of a place.
package clock

import "time"

// In returns the time of day in a place named as in the IANA time zone database.
func In(place string, now time.Time) (string, error) {
	zone, err := time.LoadLocation(place)
	if err != nil {
		return "", err
	}
	return now.In(zone).Format("15:04"), nil
}
