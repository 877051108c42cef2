//! Taxa: a hand-written trunk with real names and ids, and generated genera and species on its families.

use std::collections::HashMap;

use super::{
    Dice,
    words::{EPITHETS, FAMILIES, GENUS_STARTS},
};

/// `id|parent|rank|name|common name`.
const TRUNK: &str = "\
48460||stateofmatter|Life|Life
1|48460|kingdom|Animalia|Animals
47126|48460|kingdom|Plantae|Plants
47170|48460|kingdom|Fungi|Fungi Including Lichens
2|1|phylum|Chordata|Chordates
355675|2|subphylum|Vertebrata|Vertebrates
3|355675|class|Aves|Birds
7251|3|order|Passeriformes|Perching Birds
15977|7251|family|Turdidae|Thrushes and Allies
12705|15977|genus|Turdus|True Thrushes
12727|12705|species|Turdus migratorius|American Robin
12716|12705|species|Turdus merula|Eurasian Blackbird
67562|3|order|Gaviiformes|Loons
4619|67562|family|Gaviidae|Loons
4620|4619|genus|Gavia|Loons
4626|4620|species|Gavia immer|Common Loon
20978|355675|class|Amphibia|Amphibians
20979|20978|order|Anura|Frogs and Toads
20980|20979|family|Ranidae|True Frogs
26036|355675|class|Reptilia|Reptiles
26172|26036|order|Squamata|Snakes and Lizards
26504|26172|family|Lacertidae|Wall Lizards and Allies
40151|355675|class|Mammalia|Mammals
41573|40151|order|Carnivora|Carnivorans
41636|41573|family|Procyonidae|Raccoons, Coatis, and Allies
41661|41636|genus|Procyon|Raccoons
41663|41661|species|Procyon lotor|Common Raccoon
47178|355675|class|Actinopterygii|Ray-finned Fishes
47115|1|phylum|Mollusca|Mollusks
47114|47115|class|Gastropoda|Gastropods
47113|47114|order|Nudibranchia|Nudibranchs
47120|1|phylum|Arthropoda|Arthropods
245097|47120|subphylum|Chelicerata|Chelicerates
47119|245097|class|Arachnida|Arachnids
47118|47119|order|Araneae|Spiders
372739|47120|subphylum|Hexapoda|Hexapods
47158|372739|class|Insecta|Insects
184884|47158|subclass|Pterygota|Winged and Once-winged Insects
47157|184884|order|Lepidoptera|Butterflies and Moths
47224|47157|superfamily|Papilionoidea|Butterflies
47922|47224|family|Nymphalidae|Brush-footed Butterflies
61244|47922|subfamily|Danainae|Milkweed Butterflies
134169|61244|tribe|Danaini|
522900|134169|subtribe|Danaina|Tiger Butterflies
48663|522900|genus|Danaus|Tiger Milkweed Butterflies
48662|48663|species|Danaus plexippus|Monarch
51093|48663|species|Danaus gilippus|Queen
47208|184884|order|Coleoptera|Beetles
48486|47208|family|Coccinellidae|Lady Beetles
48487|48486|genus|Harmonia|
48484|48487|species|Harmonia axyridis|Asian Lady Beetle
47201|184884|order|Hymenoptera|Ants, Bees, Wasps, and Sawflies
47221|47201|family|Apidae|Honey Bees, Bumble Bees, and Allies
47220|47221|genus|Apis|Honey Bees
47219|47220|species|Apis mellifera|Western Honey Bee
47792|184884|order|Odonata|Dragonflies and Damselflies
47822|47792|family|Coenagrionidae|Narrow-winged Damselflies
211194|47126|phylum|Tracheophyta|Vascular Plants
47125|211194|subphylum|Angiospermae|Flowering Plants
47124|47125|class|Magnoliopsida|Dicots
47605|47124|order|Asterales|Sunflowers, Bellflowers, Fanflowers, and Allies
47604|47605|family|Asteraceae|Sunflowers, Daisies, Asters, and Allies
48561|47604|genus|Cirsium|Thistles
60132|48561|species|Cirsium arvense|Creeping Thistle
47603|47604|genus|Taraxacum|Dandelions
47602|47603|species|Taraxacum officinale|Common Dandelion
47169|47170|phylum|Basidiomycota|Basidiomycete Fungi
50814|47169|class|Agaricomycetes|Mushrooms, Bracket Fungi, Puffballs, and Allies
47167|50814|order|Agaricales|Common Gilled Mushrooms and Allies
48701|47167|family|Amanitaceae|Amanita Mushrooms and Allies
47347|48701|genus|Amanita|Amanita Mushrooms
48715|47347|species|Amanita muscaria|Fly Agaric
";

/// Groups with an icon of their own.
const ICONIC: &[(u64, &str)] = &[
    (1, "Animalia"),
    (47126, "Plantae"),
    (47170, "Fungi"),
    (3, "Aves"),
    (20978, "Amphibia"),
    (26036, "Reptilia"),
    (40151, "Mammalia"),
    (47178, "Actinopterygii"),
    (47115, "Mollusca"),
    (47119, "Arachnida"),
    (47158, "Insecta"),
];

/// Generated taxa take the free ids from 4 to this, so that any small id names something.
const LAST_GENERATED: u64 = 400;
const SPECIES_PER_GENUS: u64 = 6;

#[derive(Debug, Clone)]
pub(crate) struct Taxon {
    pub(crate) id: u64,
    pub(crate) parent: Option<u64>,
    pub(crate) rank: &'static str,
    pub(crate) name: String,
    pub(crate) common: Option<String>,
    /// From the root to this taxon itself.
    pub(crate) ancestors: Vec<u64>,
    pub(crate) iconic: Option<(u64, &'static str)>,
    pub(crate) observations: u64,
}

/// All taxa, in table order, with the ways to find them.
#[derive(Debug)]
pub(crate) struct Taxa {
    all: Vec<Taxon>,
    by_id: HashMap<u64, usize>,
    /// Places in `all` of what observations are of.
    pub(crate) species: Vec<usize>,
}

impl Taxa {
    pub(crate) fn new(seed: u64) -> Self {
        let mut taxa = Self { all: Vec::new(), by_id: HashMap::new(), species: Vec::new() };
        for line in TRUNK.lines() {
            let mut parts = line.split('|');
            let mut part = || parts.next().unwrap_or_default();
            let (id, parent, rank, name, common) = (part(), part(), part(), part(), part());
            taxa.add(seed, id.parse().unwrap_or(0), parent.parse().ok(), rank, name, common);
        }
        taxa.generate(seed);
        // The monarch is the best seen of all, so that an example finds something in every sandbox.
        let monarch = taxa.by_id.get(&48662).copied().unwrap_or(0);
        taxa.species.sort_by_key(|place| *place != monarch);
        taxa
    }

    fn generate(&mut self, seed: u64) {
        let mut free = (4..=LAST_GENERATED)
            .filter(|id| !TRUNK.lines().any(|line| line.split('|').next() == Some(&id.to_string())));
        let free: Vec<u64> = free.by_ref().collect();
        let mut ids = free.into_iter();
        for number in 0.. {
            let (family, ending, noun) = FAMILIES[number % FAMILIES.len()];
            let (start, sense) = GENUS_STARTS[(number / FAMILIES.len()) % GENUS_STARTS.len()];
            let Some(genus_id) = ids.next() else { return };
            let genus = format!("{start}{ending}");
            self.add(seed, genus_id, Some(family), "genus", &genus, "");
            let mut dice = Dice::new(seed, "genus", genus_id);
            let offset = dice.below(EPITHETS.len() as u64);
            for species in 0..SPECIES_PER_GENUS {
                let Some(id) = ids.next() else { return };
                let place = usize::try_from(offset + species * 5).unwrap_or(0) % EPITHETS.len();
                let (epithet, adjective) = EPITHETS[place];
                let common = format!("{adjective} {sense} {noun}");
                self.add(seed, id, Some(genus_id), "species", &format!("{genus} {epithet}"), &common);
            }
        }
    }

    fn add(&mut self, seed: u64, id: u64, parent: Option<u64>, rank: &'static str, name: &str, common: &str) {
        let mut ancestors =
            parent.and_then(|parent| self.get(parent)).map(|parent| parent.ancestors.clone()).unwrap_or_default();
        ancestors.push(id);
        let iconic = ancestors.iter().rev().find_map(|id| ICONIC.iter().find(|(iconic, _)| iconic == id)).copied();
        let level = u64::from(rank_level(rank));
        let observations = 20 + Dice::new(seed, "taxon", id).skewed(100_000) * (1 + level / 10);
        if rank == "species" {
            self.species.push(self.all.len());
        }
        self.by_id.insert(id, self.all.len());
        let common = Some(common.to_owned()).filter(|common| !common.is_empty());
        self.all.push(Taxon { id, parent, rank, name: name.to_owned(), common, ancestors, iconic, observations });
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Taxon> {
        self.by_id.get(&id).and_then(|place| self.all.get(*place))
    }

    pub(crate) fn all(&self) -> &[Taxon] {
        &self.all
    }

    pub(crate) fn children(&self, id: u64) -> impl Iterator<Item = &Taxon> {
        self.all.iter().filter(move |taxon| taxon.parent == Some(id))
    }

    /// The taxon an observation with this draw is of.
    pub(crate) fn drawn(&self, dice: &mut Dice) -> u64 {
        let place = usize::try_from(dice.skewed(self.species.len() as u64)).unwrap_or(0);
        self.species.get(place).and_then(|place| self.all.get(*place)).map_or(48662, |taxon| taxon.id)
    }
}

/// The number iNaturalist orders ranks by; 0 for an unknown one.
pub(crate) fn rank_level(rank: &str) -> u32 {
    match rank {
        "stateofmatter" => 100,
        "kingdom" => 70,
        "phylum" => 60,
        "subphylum" => 57,
        "class" => 50,
        "subclass" => 47,
        "order" => 40,
        "superfamily" => 33,
        "family" => 30,
        "subfamily" => 27,
        "tribe" => 25,
        "subtribe" => 24,
        "genus" => 20,
        "species" => 10,
        "subspecies" => 5,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::Taxa;

    #[test]
    fn the_tree_hangs_together() {
        let taxa = Taxa::new(1);
        assert!(taxa.all().len() > 400);
        for taxon in taxa.all() {
            assert_eq!(taxon.ancestors.last(), Some(&taxon.id));
            match taxon.parent {
                Some(parent) => assert!(taxa.get(parent).is_some(), "{} has no parent {parent}", taxon.name),
                None => assert_eq!(taxon.id, 48460),
            }
        }
        assert!((1..=400).all(|id| taxa.get(id).is_some()));
        let monarch = taxa.get(48662).expect("monarch");
        assert_eq!((monarch.name.as_str(), monarch.common.as_deref()), ("Danaus plexippus", Some("Monarch")));
        assert_eq!(monarch.iconic, Some((47158, "Insecta")));
    }
}
