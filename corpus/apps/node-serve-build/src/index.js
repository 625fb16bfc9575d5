const pages = { '/': 'All recipes', '/soup': 'Soup of the day' }

const title = pages[window.location.pathname] ?? 'No such recipe'
document.querySelector('main').append(` (${title}, from ${import.meta.env.VITE_KITCHEN})`)
