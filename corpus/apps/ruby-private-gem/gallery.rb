require "orchard/thumbnails"

# Makes small pictures of the ones in pictures/.
class Gallery
  def call(env)
    name = File.basename(env["PATH_INFO"])
    [200, { "content-type" => "image/webp" }, [Orchard::Thumbnails.of(File.join("pictures", name))]]
  end
end
