require_relative "gallery"

run Gallery.new
